"""The style sheet of the page: light and dark, wide and narrow."""

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #fff; --raised: #f5f6f8; --ink: #1b1e24; --quiet: #5b6370; --grid: #dee2e8;
  --training: #006eaf; --validation: #cd5500; --right: #469bdc; --wrong: #f58230; --on: #0f1115;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #16181d; --raised: #20242b; --ink: #ebedf0; --quiet: #a3abb8; --grid: #343a45;
    --training: #5ab4ee; --validation: #ff9a50; --right: #5ab4ee; --wrong: #ff9a50;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 1120px; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
p { color: var(--quiet); margin: 0 0 .75rem; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: .5rem;
  margin: 0; }
dl div { background: var(--raised); border-radius: 8px; padding: .5rem .75rem; min-width: 0; }
dt { color: var(--quiet); font-size: .8rem; overflow-wrap: anywhere; }
dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.side-by-side { display: grid; gap: 1.5rem 2.5rem; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); }
.scroll { overflow: auto; max-height: 75vh; }
.matrix { overflow-x: auto; }
svg { display: block; width: 100%; max-width: calc(1.5 * var(--natural)); height: auto; }
.matrix svg { min-width: var(--natural); }
text { font-family: inherit; fill: var(--ink); }
polyline { fill: none; stroke-linejoin: round; stroke-linecap: round; }
text.quiet { fill: var(--quiet); }
text.on { fill: var(--on); }
rect.grid { fill: var(--grid); }
rect.right { fill: var(--right); }
rect.wrong { fill: var(--wrong); }
polyline.quiet { stroke: var(--quiet); stroke-linecap: butt; }
polyline.grid { stroke: var(--grid); stroke-linecap: butt; }
polyline.training { stroke: var(--training); }
polyline.validation { stroke: var(--validation); }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr));
  gap: 1.25rem 1rem; }
figure { margin: 0; min-width: 0; font-size: .85rem; line-height: 1.4; }
figure img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain;
  background: var(--raised); border-radius: 8px; margin-bottom: .4rem; }
figure img.tiny { image-rendering: pixelated; }
figcaption { overflow-wrap: anywhere; }
figcaption small { display: block; color: var(--quiet); }
table { border-collapse: collapse; width: 100%; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid var(--grid); }
thead th { position: sticky; top: 0; background: var(--ground); color: var(--quiet);
  font-weight: 500; box-shadow: 0 1px 0 var(--grid); border: 0; }
th:first-child { text-align: left; font-weight: 400; overflow-wrap: anywhere; min-width: 4.5rem; }
@media (max-width: 480px) {
  table { font-size: .8rem; }
  th, td { padding: .3rem .25rem; }
}
th:first-child { padding-left: 0; }
tr > :last-child { padding-right: 0; }
tfoot td, tfoot th:first-child { font-weight: 600; border: 0; }
"""
