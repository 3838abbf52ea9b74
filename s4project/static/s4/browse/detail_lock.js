// Retention and legal hold of one version: until when nobody deletes it, and who may say otherwise.
// What a lock lets itself be changed to S3 decides; here it is said beforehand what can be undone.

import { button, confirm, el, toast } from "../dom.js";
import { gettext, momentText, say } from "../words.js";
import { factList, note, saving } from "./detail_parts.js";
import { writeHold, writeRetention } from "./object_calls.js";

const DAY_MS = 86_400_000;
const MODES = {
  GOVERNANCE: () => gettext("Governance"),
  COMPLIANCE: () => gettext("Compliance"),
};

const modeText = (mode) => MODES[mode]?.() ?? mode;

const lockText = (lock) =>
  lock.mode ? say(gettext("%(mode)s, until %(moment)s UTC"), { mode: modeText(lock.mode), moment: momentText(lock.until) }) : gettext("None");

/**
 * Whether a change of retention is more than making it longer, which is all that everybody may who may
 * set it: another mode, stricter too, is for who bypasses governance.
 */
export const overrules = (lock, { mode, until }, now = Date.now()) => {
  const binds = lock.mode && Date.parse(lock.until) > now;
  return Boolean(binds) && (mode !== lock.mode || Date.parse(until) < Date.parse(lock.until));
};

/** Build what shows and changes the lock: `view` is {ref, head, may, reload, locked}. */
export const buildLock = (view) => {
  const { head: known, may } = view;
  return [
    factList([
      [gettext("Retention"), lockText(known.lock)],
      [gettext("Legal hold"), known.lock.hold ? gettext("on") : gettext("off")],
    ]),
    el("h3", {}, gettext("Retention")),
    may.retain ? retentionForm(view) : note("info", el("p", {}, gettext("Your policies do not let you set retention here."))),
    el("h3", {}, gettext("Legal hold")),
    el("p", { class: "detail-help" }, gettext("While it is on, nobody deletes this version, whatever its retention says.")),
    may.hold ? holdForm(view) : note("info", el("p", {}, gettext("Your policies do not let you set a legal hold here."))),
  ];
};

const retentionForm = (view) => {
  const { ref, head: known, may } = view;
  const { lock } = known;
  const refusal = el("div", {});
  const said = el("p", { class: "detail-said", role: "status" });
  const holdsStill = Boolean(lock.mode) && Date.parse(lock.until) > Date.now();
  const isFixed = holdsStill && lock.mode === "COMPLIANCE";
  const mode = el("select", { class: "field", id: "detail-mode", on: { change: () => judge() } },
    isFixed ? null : el("option", { value: "" }, gettext("None")),
    isFixed ? null : el("option", { value: "GOVERNANCE" }, gettext("Governance: who may bypass it can")),
    el("option", { value: "COMPLIANCE" }, gettext("Compliance: nobody can, until it ends")));
  mode.value = isFixed || lock.mode ? lock.mode : "";
  const until = el("input", { type: "datetime-local", class: "field", id: "detail-until", on: { input: () => judge() } });
  until.value = (lock.mode ? new Date(lock.until) : new Date(Date.now() + 30 * DAY_MS)).toISOString().slice(0, 16);
  const bypass = el("input", { type: "checkbox", id: "detail-bypass", on: { change: () => judge() } });
  const bypassRow = el("label", { class: "detail-check", hidden: true }, bypass, gettext("Bypass governance retention"));
  const wanted = () => ({ mode: mode.value, until: mode.value ? `${until.value}:00Z` : "" });
  const judge = () => {
    const asked = wanted();
    untilRow.hidden = !asked.mode;
    const isMore = overrules(lock, asked);
    bypassRow.hidden = !(isMore && lock.mode === "GOVERNANCE");
    said.textContent = troubleOf(lock, asked, { isMore, isBypassing: bypass.checked, may });
    const isSame = asked.mode === lock.mode && (!asked.mode || momentText(asked.until) === momentText(lock.until));
    save.disabled = isSame || Boolean(said.textContent);
  };
  const untilRow = el("div", { class: "detail-field" }, el("label", { for: until.id }, gettext("Until (UTC)")), until);
  const save = button(gettext("Save retention"), { kind: "primary", on: async () => {
    const asked = wanted();
    if (asked.mode === "COMPLIANCE" && !(await confirmCompliance(asked))) return;
    saving({
      by: save, place: refusal, reload: view.reload, tellChange: tellLock,
      save: (isAnyhow) => writeRetention(ref, known, asked, { isAnyhow, isBypassing: !bypassRow.hidden && bypass.checked }),
      done: () => {
        toast(asked.mode ? say(gettext("Kept until %(moment)s UTC."), { moment: momentText(asked.until) }) : gettext("The retention was removed."));
        view.locked();
      },
    });
  } });
  judge();
  return el("div", { class: "detail-form" },
    isFixed ? note("warning", el("p", {}, gettext("Compliance: it can be made longer, never shorter."))) : null,
    el("div", { class: "detail-field" }, el("label", { for: mode.id }, gettext("Mode")), mode),
    untilRow, bypassRow, el("div", { class: "detail-buttons" }, save, said), refusal);
};

const troubleOf = (lock, asked, { isMore, isBypassing, may }) => {
  if (asked.mode && !(Date.parse(asked.until) > Date.now())) return gettext("Choose a moment that is to come.");
  if (!isMore) return "";
  if (lock.mode === "COMPLIANCE") return gettext("Compliance retention is not made shorter.");
  if (!may.bypass) return gettext("For more than making it longer, policies must allow s3:BypassGovernanceRetention.");
  return isBypassing ? "" : gettext("This is more than making it longer: say that you bypass it.");
};

const confirmCompliance = (asked) =>
  confirm({
    title: gettext("Keep it, whatever happens?"),
    body: el("p", {}, say(gettext("Until %(moment)s UTC nobody can delete this version or shorten its retention, no SuperUser either. Its bytes take room until then."), { moment: momentText(asked.until) })),
    action: gettext("Keep it"), isDanger: true,
  });

const tellLock = (now) =>
  el("p", {}, say(gettext("Retention: %(retention)s. Legal hold: %(hold)s."), { retention: lockText(now.lock), hold: now.lock.hold ? gettext("on") : gettext("off") }));

const holdForm = (view) => {
  const { ref, head: known } = view;
  const refusal = el("div", {});
  const isOn = known.lock.hold;
  const toggle = button(isOn ? gettext("Remove the legal hold") : gettext("Place a legal hold"), { symbol: isOn ? "lock_open" : "gavel", on: () => saving({
    by: toggle, place: refusal, reload: view.reload, tellChange: tellLock,
    save: (isAnyhow) => writeHold(ref, known, !isOn, { isAnyhow }),
    done: () => {
      toast(isOn ? gettext("The legal hold was removed.") : gettext("The legal hold is on."));
      view.locked();
    },
  }) });
  return el("div", { class: "detail-form" }, el("div", { class: "detail-buttons" }, toggle), refusal);
};
