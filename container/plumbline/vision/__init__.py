"""Bytes → pixels → numbers, and boxes and masks back: pure and exact. Nothing of models or HTTP."""
