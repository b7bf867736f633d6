// Theme, local times and keys. Every page works without it. From the console's design.
(function () {
  'use strict';
  var root = document.documentElement, key = 'interlock-theme', saved = null;
  try { saved = localStorage.getItem(key); } catch (blocked) { /* storage is switched off: the system's theme it is */ }
  if (saved === 'light' || saved === 'dark') root.dataset.theme = saved;

  function toggle() {
    var dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    try { localStorage.setItem(key, root.dataset.theme); } catch (blocked) { /* for this page only, then */ }
  }

  // The reader's own zone; UTC stays on hover.
  function local(time) {
    var at = new Date(time.dateTime);
    if (isNaN(at)) return;
    var thisYear = at.getFullYear() === new Date().getFullYear();
    time.title = time.textContent;
    time.textContent = at.toLocaleString('en-GB', {
      day: 'numeric', month: 'short', year: thisYear ? undefined : 'numeric',
      hour: '2-digit', minute: '2-digit', second: '2-digit'
    }).replace(',', '');
  }

  // `step` further among the elements of the page that match, from the one that has the focus.
  function move(selector, step) {
    var all = Array.from(document.querySelectorAll(selector)), rows = Array.from(document.querySelectorAll('[data-row]'));
    if (!all.length) return;
    var from = rows.indexOf(document.activeElement.closest('[data-row]')), to;
    if (step > 0) to = all.find(function (row) { return rows.indexOf(row) > from; });
    else to = all.filter(function (row) { return rows.indexOf(row) < from; }).pop();
    if (!to) return;
    to.focus();
    to.scrollIntoView({ block: 'nearest' });
  }

  var waiting = 0, pages = { o: '/', s: '/sessions', t: '/tools', u: '/use', e: '/exceptions' };
  var moves = { j: ['[data-row]', 1], k: ['[data-row]', -1], ']': ['[data-verdict]', 1], '[': ['[data-verdict]', -1] };
  function press(event) {
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || event.metaKey || event.ctrlKey || event.altKey) return;
    var go = pages[event.key];
    if (event.key === 'g') waiting = Date.now();
    else if (go && Date.now() - waiting < 1200) location.href = go;
    else if (moves[event.key]) move.apply(null, moves[event.key]);
    else if (event.key === 'Enter' && event.target.matches('[data-row]')) {
      var link = event.target.querySelector('a');
      if (link) link.click();
    }
  }

  addEventListener('DOMContentLoaded', function () {
    document.querySelectorAll('time').forEach(local);
    document.querySelectorAll('[data-theme-toggle]').forEach(function (button) { button.addEventListener('click', toggle); });
    document.addEventListener('keydown', press);
  });
})();
