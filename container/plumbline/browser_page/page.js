"use strict";
// Names, labels and messages may be hostile: they become text, never markup.

const LONGEST = 2048, READABLE = 512, THINNEST = 16, UNSEEN = 255, MOST_ROWS = 200, MOST_RAW = 200000;
const GRAY = "#808080";
const $ = (id) => document.getElementById(id);
const say = (id, text) => { $(id).textContent = text; };
const tell = (text) => say("state", text);

let about = { colors: [], inks: [] };
let sent = null;
let view = null; // the picture, how it is turned, and what was found in it
let serial = 0;

function make(tag, text = "", className = "") {
	const made = document.createElement(tag);
	made.textContent = text;
	made.className = className;
	return made;
}

function show(id, shown = true) {
	$(id).hidden = !shown;
}

// -- what is served

async function learn() {
	try {
		const response = await fetch("about");
		about = await response.json();
		if (!response.ok) throw new Error(about.error.message);
	} catch (error) {
		about = { colors: [], inks: [], reason: error instanceof TypeError ? "The server does not answer." : error.message };
	}
	describe();
	if (about.state !== "ready") setTimeout(learn, 1000);
}

function describe() {
	tell(about.state === "ready" ? `Ready: ${about.title}` : about.reason);
	document.title = `${about.title || "Loading"} – Plumbline`;
	const facts = about.facts || [];
	$("facts").replaceChildren(...facts.flatMap(([term, text]) => [make("dt", term), make("dd", text)]));
}

// -- asking

function headers(blob) {
	const type = (about.accepts || ["image/jpeg", "image/png"]).includes(blob.type) ? blob.type : "application/x-image";
	const sent = { "Content-Type": type, Accept: "application/json" };
	if (!about.model || about.model.format !== "typed") sent["X-Amzn-SageMaker-Custom-Attributes"] = "format=typed";
	return sent;
}

async function send(blob, name) {
	const own = ++serial;
	sent = [blob, name];
	stopCamera();
	show("answer");
	offer(blob, name);
	repeat(blob, name);
	$("count").textContent = $("raw").textContent = "";
	tell(`Asking about ${name} …`);
	let answer;
	try {
		answer = await asked(blob);
	} catch {
		answer = { text: "", code: "no_answer", message: "The server gave no answer. Is it still running?" };
	}
	const failed = Boolean(answer.message), made = answer.prediction?.image?.png;
	const picture = failed ? null : await decoded(made ? fromBase64(made.b64) : blob);
	if (own !== serial) return;
	tell(`${failed ? "Refused" : "Answered"}: ${name}`);
	say("raw", answer.text.slice(0, MOST_RAW) + (answer.text.length > MOST_RAW ? " …" : ""));
	say("message", answer.message || "");
	say("code", [answer.status, answer.code].join(" ").trim());
	show("error", failed);
	show("found", !failed);
	show("canvas", false);
	view = null;
	if (!failed) found(answer, picture);
}

const fromBase64 = (text) => new Blob([Uint8Array.from(atob(text), (each) => each.charCodeAt(0))], { type: "image/png" });

async function asked(blob) {
	if (about.limits && blob.size > about.limits.body) {
		const most = about.limits.body / 2 ** 20;
		return { text: "", code: "body_too_large", message: `The file has more than the ${most} MiB that are taken; make a smaller picture of it.` };
	}
	const begun = performance.now();
	const response = await fetch("invocations", { method: "POST", headers: headers(blob), body: blob });
	const text = await response.text();
	const answer = { status: response.status, text, took: performance.now() - begun, laps: laps(response.headers.get("Server-Timing") || "") };
	try {
		const document = JSON.parse(text);
		answer.prediction = document.predictions?.[0];
		const error = document.error || answer.prediction?.error;
		if (error || !response.ok) Object.assign(answer, typeof error === "object" ? error : { message: String(error) });
	} catch {
		if (!response.ok) answer.message = text.slice(0, 500) || "The server gives no reason.";
	}
	return answer;
}

// -- the picture, as it was sent

function turnOf(bytes) {
	// Answers are in pixels of the picture as it was sent: the browser must not turn it by EXIF.
	const text = new TextDecoder("latin1").decode(bytes);
	const exif = /(?:Exif\0\0|eXIf|EXIF[^]{4})(?=II\*\0|MM\0\*)/.exec(text);
	if (!exif) return 1;
	const start = exif.index + exif[0].length, little = bytes[start] === 0x49;
	const data = new DataView(bytes.buffer, start);
	try {
		const table = data.getUint32(4, little);
		for (let entry = 0; entry < data.getUint16(table, little); entry++) {
			const place = table + 2 + 12 * entry;
			if (data.getUint16(place, little) !== 0x0112) continue;
			const turn = data.getUint16(place + 8, little);
			data.setUint16(place + 8, 1, little);
			return turn >= 1 && turn <= 8 ? turn : 1;
		}
	} catch {
		// It leads out of the file.
	}
	return 1;
}

async function decoded(blob) {
	const bytes = new Uint8Array(await blob.arrayBuffer());
	const turn = turnOf(bytes);
	try {
		const bitmap = await createImageBitmap(new Blob([bytes], { type: blob.type }));
		return { bitmap, width: bitmap.width, height: bitmap.height, turn: about.model?.turned === false ? 1 : turn };
	} catch {
		return null;
	}
}

const swaps = (turn) => turn >= 5;
const mirrorsX = (turn) => [2, 3, 7, 8].includes(turn);
const mirrorsY = (turn) => [3, 4, 6, 7].includes(turn);

function drawnSize(width, height) {
	const longer = Math.max(width, height);
	const factor = longer > LONGEST ? LONGEST / longer : Math.max(1, Math.round(READABLE / longer));
	return [width, height].map((length) => Math.max(THINNEST, Math.round(length * factor)));
}

function upright(x, y) {
	// A place in the picture as it was sent, in pixels of the canvas.
	const { width, height, turn } = view, canvas = $("canvas");
	const place = [mirrorsX(turn) ? width - x : x, mirrorsY(turn) ? height - y : y];
	const size = swaps(turn) ? [height, width] : [width, height];
	if (swaps(turn)) place.reverse();
	return [place[0] * canvas.width / size[0], place[1] * canvas.height / size[1]];
}

// -- what was found

function found(answer, picture) {
	const said = answer.prediction || {};
	const needs = { classes: "score", detections: "box", segments: "rle" }; // a handler may answer otherwise
	const isWhole = (kind) => (item) => typeof item?.label === "string" && item[needs[kind]] !== undefined;
	const kind = Object.keys(needs).find((each) => Array.isArray(said[each]) && said[each].every(isWhole(each)));
	const items = kind ? said[kind] : [];
	view = { kind, items, chosen: null, made: Boolean(said.image?.png), ...picture };
	if (kind === "segments" && picture) view.mask = maskOf(items, view.width, view.height);
	show("slider", Boolean(kind));
	$("threshold").value = 0;
	say("threshold-label", kind === "segments" ? "Hide shares below" : "Hide scores below");
	$("raw-answer").open = !kind;
	rows();
	times(answer);
	draw();
}

const value = (item) => (view.kind === "segments" ? item.area : item.score) ?? 0;
const isShown = (item) => value(item) >= Number($("threshold").value);

function colorOf(number, colors = about.colors) {
	// Black, the first, is for backgrounds: no box has it.
	return (view.kind === "segments" ? colors[number] : colors[1 + number % (colors.length - 1)]) || GRAY;
}

function words(item) {
	if (view.kind === "segments") return item.area >= 0.001 ? `${(100 * item.area).toFixed(1)}%` : "<0.1%";
	const digits = view.kind === "classes" ? 3 : 2, score = value(item);
	return Math.abs(score) < 10000 ? score.toFixed(digits) : score.toExponential(1);
}

function rows() {
	const items = view.items.filter(isShown), full = Math.max(1, ...view.items.map(value));
	say("threshold-value", Number($("threshold").value).toFixed(2));
	$("rows").replaceChildren(...items.slice(0, MOST_ROWS).map((item) => row(item, full)));
	const more = items.length > MOST_ROWS ? `, of which the first ${MOST_ROWS} are listed` : "";
	const hidden = view.items.length - items.length;
	$("count").textContent = view.kind
		? `${items.length} ${view.kind}${more}${hidden ? `; ${hidden} hidden` : ""}`
		: view.made ? "A picture that the model made" : "Plain numbers: see the raw answer";
	if (!view.bitmap) $("count").textContent += ". This browser can't show a picture of this format.";
}

function row(item, full) {
	const button = make("button"), track = make("div", "", "track"), bar = make("div");
	button.type = "button";
	if (view.kind !== "classes") {
		const square = make("i", "", "color");
		square.style.background = colorOf(item.class_id);
		button.append(square);
	}
	button.append(make("span", item.label));
	button.onfocus = button.onmouseenter = () => choose(item);
	button.onblur = button.onmouseleave = () => choose(null);
	bar.style.width = `${100 * Math.min(1, Math.max(0, value(item) / full))}%`;
	track.append(bar);
	const made = make("tr");
	for (const part of [button, track, words(item)]) {
		const cell = make("td");
		cell.append(part);
		made.append(cell);
	}
	return made;
}

function choose(item) {
	if (!view || view.chosen === item) return;
	view.chosen = item;
	draw();
}

// -- drawing

function draw() {
	const canvas = $("canvas"), { bitmap, turn, width, height } = view;
	show("canvas", Boolean(bitmap));
	if (!bitmap) return;
	[canvas.width, canvas.height] = swaps(turn) ? drawnSize(height, width) : drawnSize(width, height);
	const pen = canvas.getContext("2d", { willReadFrequently: true });
	const [left, top] = upright(0, 0), [right, edge] = upright(width, 0), [x, y] = upright(0, height);
	pen.imageSmoothingEnabled = Math.max(width, height) > LONGEST;
	pen.imageSmoothingQuality = "high";
	pen.setTransform((right - left) / width, (edge - top) / width, (x - left) / height, (y - top) / height, left, top);
	pen.drawImage(bitmap, 0, 0);
	pen.resetTransform();
	const size = Math.min(40, Math.max(13, Math.round(Math.sqrt(canvas.width * canvas.height) / 38)));
	if (view.mask) overlay(pen, size);
	if (view.kind === "detections") boxes(pen, size);
	canvas.setAttribute("aria-label", `The picture, with ${$("count").textContent}`);
}

function frame(pen, [left, top, right, bottom], width) {
	const [across, down] = [right - left, bottom - top];
	pen.fillRect(left, top, across, width);
	pen.fillRect(left, bottom - width, across, width);
	pen.fillRect(left, top, width, down);
	pen.fillRect(right - width, top, width, down);
}

function placed([left, top, right, bottom]) {
	const one = upright(left, top), other = upright(right, bottom);
	return [Math.min, Math.max].flatMap((most) => [0, 1].map((axis) => Math.round(most(one[axis], other[axis]))));
}

function boxes(pen, size) {
	const items = view.items.filter(isShown).reverse().filter((item) => item !== view.chosen);
	if (view.chosen && isShown(view.chosen)) items.push(view.chosen);
	const halo = Math.max(1, Math.floor(size / 14));
	for (const item of items) {
		const box = placed(item.box), line = Math.max(2, Math.floor(size / 6)) * (item === view.chosen ? 2 : 1);
		pen.fillStyle = colorOf(item.class_id, about.inks);
		frame(pen, [box[0] - halo, box[1] - halo, box[2] + halo, box[3] + halo], line + 2 * halo);
		pen.fillStyle = colorOf(item.class_id);
		frame(pen, box, line);
	}
	const taken = [];
	for (const item of items.slice(-MOST_ROWS).reverse()) tag(pen, size, item, placed(item.box), taken);
}

function tag(pen, size, item, [left, top, , bottom], taken) {
	const { width, height } = pen.canvas, text = `${item.label.slice(0, 24)} ${words(item)}`;
	pen.font = `${size}px system-ui, sans-serif`;
	const across = Math.ceil(pen.measureText(text).width) + size, down = Math.ceil(1.3 * size);
	const x = Math.max(0, Math.min(left, width - across));
	const isFree = (y) => y >= 0 && y + down <= height && !taken.some(([a, b, wide]) => Math.abs(y - b) < down && x < a + wide && a < x + across);
	const y = [top - down, bottom, top, bottom - down].find(isFree) ?? Math.min(top, height - down);
	taken.push([x, y, across]);
	pen.fillStyle = colorOf(item.class_id);
	pen.fillRect(x, y, across, down);
	pen.fillStyle = colorOf(item.class_id, about.inks);
	pen.fillText(text, x + size / 2, y + size);
}

// -- masks

function runLengths(counts) {
	// COCO's: five bits a character, as differences to the number before the last.
	const lengths = [];
	for (let place = 0; place < counts.length;) {
		let number = 0, shift = 0, character;
		do {
			character = counts.charCodeAt(place++) - 48;
			number |= (character & 31) << shift;
			shift += 5;
		} while (character & 32);
		if (character & 16) number |= -1 << shift;
		lengths.push(number + (lengths.length > 2 ? lengths[lengths.length - 2] : 0));
	}
	return lengths;
}

function maskOf(items, width, height) {
	const mask = new Uint8Array(width * height).fill(UNSEEN);
	for (const { class_id: number, rle } of items) {
		if (rle.size[0] !== height || rle.size[1] !== width) return null;
		let place = 0, inside = false;
		for (const length of runLengths(rle.counts)) {
			if (inside) mask.fill(number, place, place + length); // column by column
			place += length;
			inside = !inside;
		}
	}
	return mask;
}

function classesOf(mask, across, down) {
	// Of each pixel of the canvas, by the nearest pixel of the picture.
	const { width, height, turn } = view, classes = new Uint8Array(across * down);
	const [wide, high] = swaps(turn) ? [height, width] : [width, height];
	for (let row = 0, place = 0; row < down; row++) {
		const y = Math.floor((2 * row + 1) * high / (2 * down));
		for (let column = 0; column < across; column++) {
			const x = Math.floor((2 * column + 1) * wide / (2 * across));
			const [sx, sy] = swaps(turn) ? [y, x] : [x, y];
			classes[place++] = mask[(mirrorsX(turn) ? width - 1 - sx : sx) * height + (mirrorsY(turn) ? height - 1 - sy : sy)];
		}
	}
	return classes;
}

function overlay(pen, size) {
	const { width, height } = pen.canvas, classes = classesOf(view.mask, width, height);
	const image = pen.getImageData(0, 0, width, height), reach = Math.max(1, Math.floor(size / 10));
	const hidden = new Set(view.items.filter((item) => !isShown(item)).map((item) => item.class_id));
	const paints = Array.from({ length: 256 }, (_, number) => {
		const hex = number === UNSEEN ? GRAY : colorOf(number);
		return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
	});
	for (let place = 0; place < classes.length; place++) {
		const own = classes[place], x = place % width, y = (place - x) / width;
		if (hidden.has(own)) continue;
		let border = view.chosen && view.chosen.class_id === own;
		for (let far = 1; far <= reach && !border; far++) {
			border = (x >= far && classes[place - far] !== own) || (x + far < width && classes[place + far] !== own) ||
				(y >= far && classes[place - far * width] !== own) || (y + far < height && classes[place + far * width] !== own);
		}
		for (let channel = 0; channel < 3; channel++) {
			const at = 4 * place + channel, paint = paints[own][channel];
			image.data[at] = border ? paint : (image.data[at] + paint) / 2;
		}
	}
	pen.putImageData(image, 0, 0);
}

// -- where the time went

function laps(header) {
	const found = {};
	for (const part of header.split(",")) {
		const [, name, spent] = /^\s*([\w-]+)\s*;\s*dur=([\d.]+)/.exec(part) || [];
		if (name) found[name] = Number(spent);
	}
	return found;
}

function times(answer) {
	const { total, ...stages } = answer.laps;
	const sum = () => Object.values(stages).reduce((all, spent) => all + spent, 0);
	const rest = (name, all) => { stages[name] = Math.max(0, all - sum()); };
	if (stages.handler) {
		const { handler, wait = 0 } = stages; // the other stages are a part of the handler's
		delete stages.handler;
		rest("handler", handler + wait);
	}
	if (total) rest("other", total);
	rest(total ? "network and browser" : "request", answer.took);
	$("bar").replaceChildren();
	$("stages").replaceChildren();
	Object.entries(stages).forEach(([name, spent], number) => {
		const part = make("div"), item = make("li"), square = make("i", "", "color");
		part.style.flexGrow = spent;
		part.style.background = square.style.background = `hsl(${number * 50} 65% 50%)`;
		item.append(square, `${name} ${spent.toFixed(spent < 10 ? 2 : 0)} ms`);
		$("bar").append(part);
		$("stages").append(item);
	});
}

// -- the same from elsewhere

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function repeat(blob, name) {
	const origin = new URL(".", location.href).href.replace(/\/$/, ""), endpoint = about.endpoint;
	const file = name.startsWith("-") ? `./${name}` : name, fields = headers(blob);
	const lines = Object.entries(fields).map(([field, text]) => `-H ${quoted(`${field}: ${text}`)}`);
	say("curl", ["curl", ...lines, `--data-binary ${quoted(`@${file}`)}`, quoted(`${origin}/invocations`)].join(" \\\n  "));
	const where = endpoint?.options || ["--url", origin];
	say("predict", ["plumbline predict", ...where.map(quoted), quoted(file)].join(" "));
	const given = { EndpointName: "YOUR-ENDPOINT", ...endpoint?.arguments, ContentType: fields["Content-Type"], Accept: fields.Accept };
	const attributes = fields["X-Amzn-SageMaker-Custom-Attributes"];
	if (attributes) given.CustomAttributes = attributes;
	const region = endpoint ? `, region_name=${JSON.stringify(endpoint.region)}` : "";
	$("boto3").textContent = [
		"import boto3",
		"",
		`runtime = boto3.client("sagemaker-runtime"${region})`,
		`with open(${JSON.stringify(file)}, "rb") as picture:`,
		"    answer = runtime.invoke_endpoint(",
		...Object.entries(given).map(([argument, text]) => `        ${argument}=${JSON.stringify(text)},`),
		"        Body=picture,",
		"    )",
		'print(answer["Body"].read().decode())',
	].join("\n");
}

function offer(blob, name) {
	const link = $("save");
	URL.revokeObjectURL(link.href);
	link.href = URL.createObjectURL(blob);
	link.download = name;
	show("save");
}

// -- pictures come in

function take(files) {
	const file = [...files].find((each) => each.type.startsWith("image/")) || files[0];
	if (file) send(file, file.name || "picture.png");
}

let stream = null;

async function startCamera() {
	try {
		stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
	} catch (error) {
		tell(`The camera can't be used: ${error.message}.`);
		return;
	}
	$("video").srcObject = stream;
	await $("video").play();
	for (const id of ["video", "shoot"]) show(id);
	for (const id of ["canvas", "camera"]) show(id, false);
	$("shoot").focus();
}

function stopCamera() {
	if (!stream) return;
	for (const track of stream.getTracks()) track.stop();
	stream = null;
	for (const id of ["video", "shoot"]) show(id, false);
	show("camera");
	$("camera").focus();
}

async function shoot() {
	const video = $("video"), canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
	canvas.getContext("2d").drawImage(video, 0, 0);
	send(await canvas.convertToBlob({ type: "image/png" }), "camera.png");
}

function listen() {
	const drop = $("drop");
	for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
		addEventListener(kind, (event) => {
			event.preventDefault();
			drop.classList.toggle("over", kind === "dragenter" || kind === "dragover");
			if (kind === "drop") take(event.dataTransfer.files);
		});
	}
	addEventListener("paste", (event) => take(event.clipboardData.files));
	$("choose").onclick = () => $("file").click();
	$("file").onchange = () => {
		take($("file").files);
		$("file").value = "";
	};
	$("again").onclick = () => send(...sent);
	$("camera").onclick = startCamera;
	$("shoot").onclick = shoot;
	show("camera", Boolean(navigator.mediaDevices));
	$("threshold").oninput = () => {
		rows();
		draw();
	};
	$("rows").onkeydown = (event) => {
		const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], buttons = [...$("rows").querySelectorAll("button")];
		const next = step && buttons[buttons.indexOf(document.activeElement) + step];
		if (!next) return;
		event.preventDefault();
		next.focus();
	};
}

listen();
learn();
