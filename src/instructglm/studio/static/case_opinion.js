// What all answers together say of a case, asked for when the reviewer wants to know.
"use strict";

export async function showOpinion(data, outputs, say) {
  const place = document.getElementById("opinions");
  try {
    const answer = await fetch(`/api/projects/${data.project}/cases/${data.instruction}/opinion`);
    if (!answer.ok) throw new Error(String(answer.status));
    const found = await answer.json();
    const lines = [...ofLabels(found.labels, say), ...found.outputs.flatMap((one) => ofOutput(one, outputs, say))];
    place.replaceChildren(...(lines.length ? lines : [say("no_opinion")]).map(asLine));
  } catch {
    place.replaceChildren(asLine(say("not_reached")));
  }
}

function ofLabels(labels, say) {
  if (!labels) return [];
  const likely = Object.entries(labels).sort((one, other) => other[1] - one[1]).slice(0, 3);
  return [`${say("likeliest")}: ${likely.map(([name, share]) => `${name} ${(100 * share).toFixed(0)} %`).join(", ")}`];
}

function ofOutput(one, outputs, say) {
  const number = 1 + outputs.findIndex((output) => Number(output.dataset.output) === one.id);
  const parts = one.means.map(([criterion, mean, n]) => say("mean", { criterion, mean: mean.toFixed(2), n }));
  if (one.strength !== null) {
    parts.push(say("strength", { value: one.strength.toFixed(2), error: one.standard_error.toFixed(2) }));
  }
  return parts.length ? [`${say("output", { n: number })}: ${parts.join("; ")}`] : [];
}

function asLine(text) {
  const line = document.createElement("p");
  line.className = "notice info";
  line.textContent = text;
  return line;
}
