// Shows the records that have all the words of the search, of the chosen strategy and action.
const records = [...document.querySelectorAll(".record")];
const texts = records.map(record => record.textContent.toLowerCase());
const by = id => document.getElementById(id);

function filter() {
  const words = by("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const strategy = by("strategy").value, action = by("action").value;
  let shown = 0;
  records.forEach((record, i) => {
    const fits = (!strategy || record.dataset.strategy === strategy)
      && (!action || record.dataset.action === action)
      && words.every(word => texts[i].includes(word));
    record.hidden = !fits;
    if (fits) shown++;
  });
  const all = records.length.toLocaleString("en");
  by("count").textContent = shown === records.length ? `${all} records` : `${shown.toLocaleString("en")} of ${all} records`;
  by("none").hidden = shown > 0;
}

by("filter").addEventListener("input", filter);
by("filter").addEventListener("submit", event => event.preventDefault());
