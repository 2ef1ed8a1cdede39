// The letters of a source in place of ours, in every formula: chosen once, remembered from page to page.
document.addEventListener("DOMContentLoaded", () => {
  const place = document.querySelector(".sidebar-tree") || document.body;
  const signs = [...document.querySelectorAll("math mi")].map(mi => [mi, mi.textContent, mi.getAttribute("mathvariant")]);
  if (!signs.length) return;
  const label = document.createElement("label"), select = document.createElement("select");
  label.className = "letters";
  label.append("Letters of ", select);
  for (const name of ["these lectures", ...Object.keys(LETTERS)]) select.add(new Option(name, name));

  function change() {
    const theirs = LETTERS[select.value] || {};
    for (const [mi, ours, variant] of signs) {
      const [letter, how] = theirs[ours] || [ours, variant];
      mi.textContent = letter;
      if (how) mi.setAttribute("mathvariant", how); else mi.removeAttribute("mathvariant");
    }
    try { localStorage.setItem("letters", select.value); } catch { /* the disk may not let a page remember */ }
  }
  try { select.value = localStorage.getItem("letters") || "these lectures"; } catch { /* nor recall */ }
  if (select.selectedIndex < 0) select.selectedIndex = 0;
  select.addEventListener("change", change);
  place.before(label);
  change();
});
