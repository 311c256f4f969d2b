// Keeps the page for when there is no network. files.js names its files, and a version that changes with any of them.
importScripts("files.js");

const MINE = `audionet ${registration.scope} `; // other pages of this site keep theirs
const NAME = MINE + VERSION;

addEventListener("install", (event) => event.waitUntil(keepAll().then(() => skipWaiting())));

addEventListener("activate", (event) => event.waitUntil(dropOlder().then(() => clients.claim())));

addEventListener("fetch", (event) => {
  if (event.request.method === "GET") event.respondWith(answer(event.request));
});

async function keepAll() {
  const cache = await caches.open(NAME);
  await cache.addAll(FILES.map((file) => new Request(file, { cache: "no-cache" })));
}

async function dropOlder() {
  const older = (await caches.keys()).filter((name) => name.startsWith(MINE) && name !== NAME);
  await Promise.all(older.map((name) => caches.delete(name)));
}

/** What the server sends, and what is kept where it cannot be reached. */
async function answer(request) {
  try {
    return await fetch(request, { cache: "no-cache" });
  } catch (error) {
    const wanted = request.url === registration.scope ? "index.html" : request;
    const kept = await caches.match(wanted, { cacheName: NAME, ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}
