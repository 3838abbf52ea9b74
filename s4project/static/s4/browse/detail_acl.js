// Who is granted what on one object by its ACL. Where ACLs are disabled, as in new buckets, policies
// alone decide, and that is what it says.

import { button, el, toast } from "../dom.js";
import { gettext } from "../words.js";
import { code, factList, note, saving } from "./detail_parts.js";
import { writeAcl } from "./object_calls.js";

const ALL = "http://acs.amazonaws.com/groups/global/AllUsers";
const SIGNED = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const GROUPS = {
  [ALL]: () => gettext("Everybody, signed in or not"),
  [SIGNED]: () => gettext("Everybody with an access key"),
  "http://acs.amazonaws.com/groups/s3/LogDelivery": () => gettext("Log delivery"),
};
const PERMISSIONS = {
  FULL_CONTROL: () => gettext("full control"),
  READ: () => gettext("read the object"),
  WRITE: () => gettext("write (means nothing on an object)"),
  READ_ACP: () => gettext("read these grants"),
  WRITE_ACP: () => gettext("change these grants"),
};

const whoText = (grant) => GROUPS[grant.id]?.() ?? (grant.name || grant.id);

const isPublic = (grant) => grant.id === ALL || grant.id === SIGNED;

/** Build what shows and changes the ACL: `view` is {ref, facts, may, reload, granted}. */
export const buildAcl = (view, known) => {
  const { facts, may } = view;
  const owner = [gettext("Owner"), known.owner.name || code(known.owner.id), known.owner.id];
  if (!facts.hasAcls) {
    return [
      factList([owner]),
      note("info",
        el("p", {}, gettext("ACLs are disabled in this bucket: its owner owns every object, and policies alone say who may do what.")),
        simulatorLink(view)),
    ];
  }
  const mayEdit = may.grant;
  const refusal = el("div", {});
  let grants = known.grants.map((grant) => ({ ...grant }));
  const list = el("ul", { class: "detail-grants" });
  const warning = el("div", {});
  const save = button(gettext("Save grants"), { kind: "primary", disabled: true, on: () => saving({
    by: save, place: refusal, reload: view.reload, tellChange: (now) => grantsText(now.grants),
    save: (isAnyhow) => writeAcl(view.ref, known, grants, { isAnyhow }),
    done: () => {
      toast(gettext("The grants were saved."));
      view.granted();
    },
  }) });
  const draw = () => {
    list.replaceChildren(...grants.map((grant, index) => el("li", {},
      el("span", { class: "detail-value" }, el("strong", {}, whoText(grant)), " ", PERMISSIONS[grant.permission]?.() ?? grant.permission),
      mayEdit ? button("", { kind: "quiet", symbol: "delete", title: gettext("Remove"), "aria-label": gettext("Remove"), on: () => {
        grants = grants.filter((_, each) => each !== index);
        draw();
      } }) : null)));
    if (!grants.length) list.append(el("li", {}, gettext("Nobody is granted anything; its owner may still change that.")));
    const open = grants.some(isPublic);
    warning.replaceChildren(...(open ? [note("warning", el("p", {}, gettext("This object is granted to people you may not know. A public access block may still keep them out.")))] : []));
    save.disabled = JSON.stringify(grants) === JSON.stringify(known.grants);
  };
  draw();
  return [
    factList([owner]),
    el("h3", {}, gettext("Grants")),
    list,
    warning,
    mayEdit ? grantForm((grant) => {
      const isThere = grants.some((each) => each.id === grant.id && each.permission === grant.permission);
      if (!isThere) grants = [...grants, grant];
      draw();
    }) : note("info", el("p", {}, gettext("Your policies do not let you change grants here."))),
    mayEdit ? el("div", { class: "detail-buttons" }, save) : null,
    refusal,
    simulatorLink(view),
  ];
};

const grantsText = (grants) =>
  el("ul", {}, grants.map((grant) => el("li", {}, `${whoText(grant)}: ${PERMISSIONS[grant.permission]?.() ?? grant.permission}`)));

const grantForm = (add) => {
  const who = el("select", { class: "field", "aria-label": gettext("To whom"), on: { change: () => { id.hidden = who.value !== "user"; } } },
    el("option", { value: SIGNED }, GROUPS[SIGNED]()),
    el("option", { value: ALL }, GROUPS[ALL]()),
    el("option", { value: "user" }, gettext("A user")));
  const id = el("input", { type: "text", class: "field", hidden: true, placeholder: gettext("Canonical id or e-mail address"), "aria-label": gettext("Canonical id or e-mail address"), autocomplete: "off", spellcheck: "false" });
  const permission = el("select", { class: "field", "aria-label": gettext("What") },
    ["READ", "READ_ACP", "WRITE_ACP", "FULL_CONTROL"].map((each) => el("option", { value: each }, PERMISSIONS[each]())));
  return el("div", { class: "detail-grant" }, who, id, permission, button(gettext("Grant"), { symbol: "add", on: () => {
    if (who.value !== "user") {
      add({ kind: "Group", id: who.value, name: "", permission: permission.value });
    } else if (id.value.trim()) {
      const named = id.value.trim();
      add({ kind: named.includes("@") ? "AmazonCustomerByEmail" : "CanonicalUser", id: named, name: "", permission: permission.value });
    } else {
      id.focus();
    }
  } }));
};

// Who may read it is asked of the simulator, which tells why.
const simulatorLink = ({ ref }) => {
  const asked = new URLSearchParams({ action: "s3:GetObject", bucket: ref.bucket, key: ref.key });
  return el("p", {}, el("a", { class: "detail-link", href: `/access/?${asked}` }, gettext("Ask the access simulator who may read it")));
};
