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
