// Reads what was dropped or picked: files, and folders with all that is in them. Of each file its
// path below what was dropped; of an empty folder that, with a slash at its end.

const readAll = async (folder) => {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    if (!some.length) {
      return found;
    }
    found.push(...some);
  }
};

const fileOf = (entry) =>
  new Promise((resolve, reject) => {
    entry.file(resolve, reject);
  });

// Walk over a dropped entry; what cannot be read is named, and the rest goes on.
const walk = async (entry, path, found, onFound) => {
  try {
    if (entry.isFile) {
      found.files.push({ file: await fileOf(entry), path });
      onFound(found.files.length);
      return;
    }
    const inside = await readAll(entry);
    if (!inside.length) {
      found.files.push({ file: new File([], entry.name), path: `${path}/` });
    }
    for (const each of inside) {
      await walk(each, `${path}/${each.name}`, found, onFound);
    }
  } catch {
    found.unreadable.push(path);
  }
};

// Whether files are dragged, and not text or a part of the page.
export const hasFiles = (transfer) => [...(transfer?.types ?? [])].includes("Files");

// What was dropped: { files: [{ file, path, handle }], unreadable: [path] }. To be called while the
// drop is handled: the browser forgets it afterwards.
export const ofDrop = async (transfer, onFound) => {
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  const dropped = items.map((item) => ({
    entry: item.webkitGetAsEntry?.(),
    file: item.getAsFile(),
    handle: item.getAsFileSystemHandle?.().catch(() => null), // on https and localhost alone
  }));
  const found = { files: [], unreadable: [] };
  for (const { entry, file, handle } of dropped) {
    if (entry?.isDirectory) {
      await walk(entry, entry.name, found, onFound);
    } else if (file) {
      found.files.push({ file, path: file.name, handle: await handle });
    }
  }
  return found;
};

// What a field for files was given.
export const ofField = (field) =>
  [...field.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
