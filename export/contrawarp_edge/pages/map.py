"""Images as points of a map, in one page that shows a picture under the pointer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contrawarp_edge.analysis.projection import Points
from contrawarp_edge.core.text import printable
from contrawarp_edge.pages.parts import escaped, page, thumbnail

_SIDE = 96

# Okabe and Ito's colours, which differ for colour-blind eyes too.
_COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7"]
_COLOURS += ["#56b4e9", "#d55e00", "#b8a800", "#888888"]
MAX_COLOURS = len(_COLOURS) - 1

_STYLE = """#map { width: 100%; height: min(75vh, 60rem); margin-top: 1rem;
  border: 1px solid var(--line); border-radius: .6rem; touch-action: none;
  cursor: grab; display: block; }
#map:focus-visible { outline: 2px solid #0072b2; }
#map circle { stroke: Canvas; stroke-width: .5; }
#map circle.here { stroke: CanvasText; stroke-width: 2; }
#tip { position: fixed; width: 9rem; padding: .4rem; border-radius: .5rem;
  background: Canvas; border: 1px solid var(--line); pointer-events: none;
  box-shadow: 0 2px 8px #0004; }
#tip img { width: 100%; display: block; border-radius: .3rem; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin-top: .5rem;
  font-size: .8rem; }
.legend i { display: inline-block; width: .7rem; height: .7rem; border-radius: 50%;
  margin-right: .3rem; }
"""

_BODY = """<header>
<h1>Map of {shown}</h1>
<p class="path">{gallery}</p>
<p class="path">{method}. Scroll or pinch to zoom, drag to move, arrow keys to go from
image to image, 0 to see all.</p>
<div class="legend">{legend}</div>
</header>
<svg id="map" tabindex="0" role="img" aria-label="Map of images"></svg>
<div id="tip" role="status" hidden></div>
<script>
const points = {points};
{script}
</script>"""

_SCRIPT = """
const svg = document.getElementById('map'), tip = document.getElementById('tip');
const ns = 'http://www.w3.org/2000/svg';
const xs = points.map(p => p.x), ys = points.map(p => p.y);
const range = v => { const lo = Math.min(...v), hi = Math.max(...v);
  return [lo, (hi - lo) || 1]; };
const [x0, w] = range(xs), [y0, h] = range(ys);
let zoom = 1, panX = 0, panY = 0, current = -1;
const circles = points.map((p, i) => {
  const c = document.createElementNS(ns, 'circle');
  c.setAttribute('r', 5); c.setAttribute('fill', p.c);
  c.addEventListener('pointerenter', () => show(i));
  c.addEventListener('pointerdown', () => show(i));
  c.addEventListener('pointerleave', hide);
  return svg.appendChild(c);
});
function place(i) {
  const box = svg.getBoundingClientRect(), pad = 20;
  const scale = Math.min((box.width - 2 * pad) / w, (box.height - 2 * pad) / h);
  const x = (points[i].x - x0 - w / 2) * scale * zoom + box.width / 2 + panX;
  const y = -(points[i].y - y0 - h / 2) * scale * zoom + box.height / 2 + panY;
  return [x, y];
}
function draw() {
  circles.forEach((c, i) => { const [x, y] = place(i);
    c.setAttribute('cx', x); c.setAttribute('cy', y); });
}
function show(i) {
  hide(); current = i; circles[i].classList.add('here');
  if (svg.lastChild !== circles[i]) svg.appendChild(circles[i]);  // to the front
  const p = points[i], box = svg.getBoundingClientRect(), [x, y] = place(i);
  tip.replaceChildren();
  if (p.t) { const img = document.createElement('img');
    img.src = p.t; img.alt = ''; tip.append(img); }
  else tip.append('original not readable');
  const text = document.createElement('div');
  text.className = 'path'; text.textContent = '#' + p.id + ' ' + p.p; tip.append(text);
  tip.hidden = false;
  const left = box.left + x + 14, top = box.top + y + 14;
  tip.style.left = Math.max(0, Math.min(left, innerWidth - tip.offsetWidth - 8)) + 'px';
  tip.style.top = Math.max(0, Math.min(top, innerHeight - tip.offsetHeight - 8)) + 'px';
}
function hide() {
  if (current >= 0) circles[current].classList.remove('here');
  tip.hidden = true;
}
function zoomAt(factor, x, y) {
  const box = svg.getBoundingClientRect();
  const dx = x - box.left - box.width / 2, dy = y - box.top - box.height / 2;
  const next = Math.min(200, Math.max(.5, zoom * factor));
  panX = dx - (dx - panX) * next / zoom; panY = dy - (dy - panY) * next / zoom;
  zoom = next; draw();
}
svg.addEventListener('wheel', e => { e.preventDefault(); hide();
  zoomAt(Math.exp(-e.deltaY / 400), e.clientX, e.clientY); }, {passive: false});
const held = new Map();
svg.addEventListener('pointerdown', e => held.set(e.pointerId, [e.clientX, e.clientY]));
addEventListener('pointerup', e => held.delete(e.pointerId));
addEventListener('pointercancel', e => held.delete(e.pointerId));
addEventListener('pointermove', e => {
  const last = held.get(e.pointerId);
  if (!last) return;
  const others = [...held].filter(([id]) => id !== e.pointerId).map(([, at]) => at);
  if (others.length) {
    const [ox, oy] = others[0];
    const apart = (x, y) => Math.hypot(x - ox, y - oy) || 1;
    zoomAt(apart(e.clientX, e.clientY) / apart(...last), ox, oy);
  } else { panX += e.clientX - last[0]; panY += e.clientY - last[1]; draw(); }
  held.set(e.pointerId, [e.clientX, e.clientY]);
});
const ways = {ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1],
  ArrowDown: [0, 1]};
svg.addEventListener('keydown', e => {
  if (e.key === '0') { zoom = 1; panX = panY = 0; hide(); draw(); return; }
  if (!ways[e.key] || !points.length) return;
  e.preventDefault();
  if (current < 0) { show(0); return; }
  const [dx, dy] = ways[e.key], [x, y] = place(current);
  let best = -1, cost = Infinity;
  points.forEach((_, i) => {
    const [a, b] = place(i), along = (a - x) * dx + (b - y) * dy;
    const aside = Math.abs((a - x) * dy) + Math.abs((b - y) * dx);
    if (i !== current && along > 0 && along + 2 * aside < cost) {
      best = i; cost = along + 2 * aside; }
  });
  if (best >= 0) show(best);
});
addEventListener('resize', () => { hide(); draw(); });
draw();
"""


@dataclass(frozen=True)
class MapImage:
    """One image on the map.

    Attributes:
        id: Of the gallery.
        path: The original.
        kind: What it is coloured by.
    """

    id: int
    path: str
    kind: str


def render(
    gallery: Path,
    total: int,
    images: Sequence[MapImage],
    points: Points,
    method: str,
) -> str:
    """Renders the page.

    Args:
        gallery: The gallery file, to name it.
        total: Number of images in it.
        images: The images on the map.
        points: ``(N, 2)``, where they are.
        method: What the axes are, for the reader.

    Returns:
        HTML with a small picture of each image inside.
    """
    colours = _colours(images)
    rows = [
        {
            "x": round(float(x), 5),
            "y": round(float(y), 5),
            "id": image.id,
            "p": printable(image.path),
            "c": colours[image.kind],
            "t": thumbnail(image.path, _SIDE),
        }
        for image, (x, y) in zip(images, points, strict=True)
    ]
    # Inside a script, nothing may look like the end of it.
    data = json.dumps(rows).replace("<", "\\u003c")
    legend = "".join(
        f'<span><i style="background:{colour}"></i>{escaped(kind)}</span>'
        for kind, colour in colours.items()
        if kind
    )
    shown = f"{len(images):,} images"
    if len(images) < total:
        shown = f"{len(images):,} of {total:,} images"
    body = _BODY.format(
        shown=shown,
        gallery=escaped(gallery),
        method=escaped(method),
        legend=legend,
        points=data,
        script=_SCRIPT,
    )
    return page(f"Map: {escaped(gallery.name)}", _STYLE, body, has_script=True)


def _colours(images: Sequence[MapImage]) -> dict[str, str]:
    """A colour for each kind; the rarest share the last one."""
    count: dict[str, int] = {}
    for image in images:
        count[image.kind] = count.get(image.kind, 0) + 1
    kinds = sorted(count, key=lambda kind: (-count[kind], kind))
    return {kind: _COLOURS[min(i, MAX_COLOURS)] for i, kind in enumerate(kinds)}
