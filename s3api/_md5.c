/* MD5 (RFC 1321) of several messages at a time, for s3api/md5.py.

   Each of MD5's 64 steps waits for the one before, which leaves most of a core idle. Here other
   messages are hashed in that time: two at once anywhere, sixteen at once with AVX-512. Knows no
   Python but at its end; all of it is portable C11 but for the vectors of GCC and Clang. */

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "words are read as they lie in memory: only for little-endian processors"
#endif

#if defined(__x86_64__) && defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define HAS_LANES 1
#endif
#endif

enum {
    BLOCK_BYTES = 64,
    WORDS = 16,
    LANES = 16,
    LANES_MIN = 6, /* fewer are as fast two by two */
    ALONE_BYTES_MAX = 2048, /* to give the interpreter away for less costs more than the hash */
};

typedef struct {
    uint32_t words[4];
    uint64_t bytes; /* of the message so far */
    uint8_t rest[BLOCK_BYTES]; /* its last bytes % BLOCK_BYTES */
} State;

/* What is still to be hashed of a message, in whole blocks. */
typedef struct {
    uint32_t *words;
    const uint8_t *data;
    size_t blocks;
} Lane;

/* --- the function --------------------------------------------------------------------------- */

/* Section 3.4: in which order the words are taken, by how much is rotated, what is added. */
#define ROUNDS(STEP, A, B, C, D)                                                                   \
    STEP(F, A, B, C, D, 0, 7, 0xd76aa478)                                                          \
    STEP(F, D, A, B, C, 1, 12, 0xe8c7b756)                                                         \
    STEP(F, C, D, A, B, 2, 17, 0x242070db)                                                         \
    STEP(F, B, C, D, A, 3, 22, 0xc1bdceee)                                                         \
    STEP(F, A, B, C, D, 4, 7, 0xf57c0faf)                                                          \
    STEP(F, D, A, B, C, 5, 12, 0x4787c62a)                                                         \
    STEP(F, C, D, A, B, 6, 17, 0xa8304613)                                                         \
    STEP(F, B, C, D, A, 7, 22, 0xfd469501)                                                         \
    STEP(F, A, B, C, D, 8, 7, 0x698098d8)                                                          \
    STEP(F, D, A, B, C, 9, 12, 0x8b44f7af)                                                         \
    STEP(F, C, D, A, B, 10, 17, 0xffff5bb1)                                                        \
    STEP(F, B, C, D, A, 11, 22, 0x895cd7be)                                                        \
    STEP(F, A, B, C, D, 12, 7, 0x6b901122)                                                         \
    STEP(F, D, A, B, C, 13, 12, 0xfd987193)                                                        \
    STEP(F, C, D, A, B, 14, 17, 0xa679438e)                                                        \
    STEP(F, B, C, D, A, 15, 22, 0x49b40821)                                                        \
    STEP(G, A, B, C, D, 1, 5, 0xf61e2562)                                                          \
    STEP(G, D, A, B, C, 6, 9, 0xc040b340)                                                          \
    STEP(G, C, D, A, B, 11, 14, 0x265e5a51)                                                        \
    STEP(G, B, C, D, A, 0, 20, 0xe9b6c7aa)                                                         \
    STEP(G, A, B, C, D, 5, 5, 0xd62f105d)                                                          \
    STEP(G, D, A, B, C, 10, 9, 0x02441453)                                                         \
    STEP(G, C, D, A, B, 15, 14, 0xd8a1e681)                                                        \
    STEP(G, B, C, D, A, 4, 20, 0xe7d3fbc8)                                                         \
    STEP(G, A, B, C, D, 9, 5, 0x21e1cde6)                                                          \
    STEP(G, D, A, B, C, 14, 9, 0xc33707d6)                                                         \
    STEP(G, C, D, A, B, 3, 14, 0xf4d50d87)                                                         \
    STEP(G, B, C, D, A, 8, 20, 0x455a14ed)                                                         \
    STEP(G, A, B, C, D, 13, 5, 0xa9e3e905)                                                         \
    STEP(G, D, A, B, C, 2, 9, 0xfcefa3f8)                                                          \
    STEP(G, C, D, A, B, 7, 14, 0x676f02d9)                                                         \
    STEP(G, B, C, D, A, 12, 20, 0x8d2a4c8a)                                                        \
    STEP(H, A, B, C, D, 5, 4, 0xfffa3942)                                                          \
    STEP(H, D, A, B, C, 8, 11, 0x8771f681)                                                         \
    STEP(H, C, D, A, B, 11, 16, 0x6d9d6122)                                                        \
    STEP(H, B, C, D, A, 14, 23, 0xfde5380c)                                                        \
    STEP(H, A, B, C, D, 1, 4, 0xa4beea44)                                                          \
    STEP(H, D, A, B, C, 4, 11, 0x4bdecfa9)                                                         \
    STEP(H, C, D, A, B, 7, 16, 0xf6bb4b60)                                                         \
    STEP(H, B, C, D, A, 10, 23, 0xbebfbc70)                                                        \
    STEP(H, A, B, C, D, 13, 4, 0x289b7ec6)                                                         \
    STEP(H, D, A, B, C, 0, 11, 0xeaa127fa)                                                         \
    STEP(H, C, D, A, B, 3, 16, 0xd4ef3085)                                                         \
    STEP(H, B, C, D, A, 6, 23, 0x04881d05)                                                         \
    STEP(H, A, B, C, D, 9, 4, 0xd9d4d039)                                                          \
    STEP(H, D, A, B, C, 12, 11, 0xe6db99e5)                                                        \
    STEP(H, C, D, A, B, 15, 16, 0x1fa27cf8)                                                        \
    STEP(H, B, C, D, A, 2, 23, 0xc4ac5665)                                                         \
    STEP(I, A, B, C, D, 0, 6, 0xf4292244)                                                          \
    STEP(I, D, A, B, C, 7, 10, 0x432aff97)                                                         \
    STEP(I, C, D, A, B, 14, 15, 0xab9423a7)                                                        \
    STEP(I, B, C, D, A, 5, 21, 0xfc93a039)                                                         \
    STEP(I, A, B, C, D, 12, 6, 0x655b59c3)                                                         \
    STEP(I, D, A, B, C, 3, 10, 0x8f0ccc92)                                                         \
    STEP(I, C, D, A, B, 10, 15, 0xffeff47d)                                                        \
    STEP(I, B, C, D, A, 1, 21, 0x85845dd1)                                                         \
    STEP(I, A, B, C, D, 8, 6, 0x6fa87e4f)                                                          \
    STEP(I, D, A, B, C, 15, 10, 0xfe2ce6e0)                                                        \
    STEP(I, C, D, A, B, 6, 15, 0xa3014314)                                                         \
    STEP(I, B, C, D, A, 13, 21, 0x4e0811a1)                                                        \
    STEP(I, A, B, C, D, 4, 6, 0xf7537e82)                                                          \
    STEP(I, D, A, B, C, 11, 10, 0xbd3af235)                                                        \
    STEP(I, C, D, A, B, 2, 15, 0x2ad7d2bb)                                                         \
    STEP(I, B, C, D, A, 9, 21, 0xeb86d391)

/* G's two halves share no bit, so that they may be added: the sum waits less for its last part. */
#define F(b, c, d) ((((c) ^ (d)) & (b)) ^ (d))
#define G(b, c, d) ((~(d) & (c)) + ((d) & (b)))
#define H(b, c, d) ((b) ^ ((c) ^ (d)))
#define I(b, c, d) ((c) ^ ((b) | ~(d)))
#define ROTATED(x, count) (((x) << (count)) | ((x) >> (32 - (count))))

static void hash_one(Lane *lane, size_t blocks) {
    uint32_t a = lane->words[0], b = lane->words[1], c = lane->words[2], d = lane->words[3];
    const uint8_t *data = lane->data, *end = data + blocks * BLOCK_BYTES;
    for (; data < end; data += BLOCK_BYTES) {
        uint32_t w[WORDS], before[] = {a, b, c, d};
        memcpy(w, data, BLOCK_BYTES);
#define STEP_ONE(f, a, b, c, d, word, count, sine)                                                 \
    a += w[word] + (uint32_t)sine;                                                                 \
    a += f(b, c, d);                                                                               \
    a = ROTATED(a, count) + b;
        ROUNDS(STEP_ONE, a, b, c, d)
        a += before[0], b += before[1], c += before[2], d += before[3];
    }
    lane->words[0] = a, lane->words[1] = b, lane->words[2] = c, lane->words[3] = d;
    lane->data = data;
    lane->blocks -= blocks;
}

static void hash_two(Lane *left, Lane *right, size_t blocks) {
    uint32_t a = left->words[0], b = left->words[1], c = left->words[2], d = left->words[3];
    uint32_t a2 = right->words[0], b2 = right->words[1], c2 = right->words[2], d2 = right->words[3];
    const uint8_t *data = left->data, *data2 = right->data, *end = data + blocks * BLOCK_BYTES;
    for (; data < end; data += BLOCK_BYTES, data2 += BLOCK_BYTES) {
        uint32_t w[WORDS], before[] = {a, b, c, d};
        uint32_t w2[WORDS], before2[] = {a2, b2, c2, d2};
        memcpy(w, data, BLOCK_BYTES);
        memcpy(w2, data2, BLOCK_BYTES);
#define STEP_TWO(f, a, b, c, d, word, count, sine)                                                 \
    a += w[word] + (uint32_t)sine;                                                                 \
    a##2 += w2[word] + (uint32_t)sine;                                                             \
    a += f(b, c, d);                                                                               \
    a##2 += f(b##2, c##2, d##2);                                                                   \
    a = ROTATED(a, count) + b;                                                                     \
    a##2 = ROTATED(a##2, count) + b##2;
        ROUNDS(STEP_TWO, a, b, c, d)
        a += before[0], b += before[1], c += before[2], d += before[3];
        a2 += before2[0], b2 += before2[1], c2 += before2[2], d2 += before2[3];
    }
    left->words[0] = a, left->words[1] = b, left->words[2] = c, left->words[3] = d;
    right->words[0] = a2, right->words[1] = b2, right->words[2] = c2, right->words[3] = d2;
    left->data = data, right->data = data2;
    left->blocks -= blocks, right->blocks -= blocks;
}

#ifdef HAS_LANES

typedef uint32_t Four __attribute__((vector_size(16)));
typedef uint32_t FourAnywhere __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint32_t Sixteen __attribute__((vector_size(64)));

typedef union {
    Sixteen of_lanes[WORDS];
    Four of_four[WORDS][LANES / 4];
} Words;

/* Turns four words of four lanes, each from its own place in memory, into four lanes of each word. */
__attribute__((target("avx512f"))) static inline void turn(
    Words *words, int word, int group, const uint8_t *const data[4], size_t at) {
    Four r0 = *(const FourAnywhere *)(data[0] + at), r1 = *(const FourAnywhere *)(data[1] + at);
    Four r2 = *(const FourAnywhere *)(data[2] + at), r3 = *(const FourAnywhere *)(data[3] + at);
    Four low01 = __builtin_shufflevector(r0, r1, 0, 4, 1, 5);
    Four low23 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
    Four high01 = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
    Four high23 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
    words->of_four[word][group] = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
    words->of_four[word + 1][group] = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
    words->of_four[word + 2][group] = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
    words->of_four[word + 3][group] = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
}

/* Hashes some blocks of up to 16 messages; lanes that nobody needs repeat the first one. */
__attribute__((target("avx512f"))) static void hash_lanes(
    Lane *const lanes[], int count, size_t blocks) {
    Sixteen a, b, c, d;
    const uint8_t *data[LANES];
    for (int lane = 0; lane < LANES; lane++) {
        const uint32_t *words = lanes[lane < count ? lane : 0]->words;
        data[lane] = lanes[lane < count ? lane : 0]->data;
        a[lane] = words[0], b[lane] = words[1], c[lane] = words[2], d[lane] = words[3];
    }
    for (size_t at = 0; at < blocks * BLOCK_BYTES; at += BLOCK_BYTES) {
        Words w;
        Sixteen before[] = {a, b, c, d};
        for (int lane = 0; lane < LANES; lane += 4) {
            for (int word = 0; word < WORDS; word += 4)
                turn(&w, word, lane / 4, data + lane, at + word * sizeof(uint32_t));
        }
#define STEP_LANES(f, a, b, c, d, word, count, sine)                                               \
    a += w.of_lanes[word] + (uint32_t)sine;                                                        \
    a += f(b, c, d);                                                                               \
    a = ROTATED(a, count) + b;
#undef G
#define G(b, c, d) ((((b) ^ (c)) & (d)) ^ (c)) /* one instruction of AVX-512, as the others are */
        ROUNDS(STEP_LANES, a, b, c, d)
        a += before[0], b += before[1], c += before[2], d += before[3];
    }
    for (int lane = 0; lane < count; lane++) {
        uint32_t *words = lanes[lane]->words;
        words[0] = a[lane], words[1] = b[lane], words[2] = c[lane], words[3] = d[lane];
        lanes[lane]->data += blocks * BLOCK_BYTES;
        lanes[lane]->blocks -= blocks;
    }
}

#endif

/* Drops the lanes that have nothing left; answers how many go on, and the fewest blocks of them. */
static int live(Lane **lanes, int count, size_t *fewest) {
    int kept = 0;
    *fewest = SIZE_MAX;
    for (int one = 0; one < count; one++) {
        if (lanes[one]->blocks == 0)
            continue;
        if (lanes[one]->blocks < *fewest)
            *fewest = lanes[one]->blocks;
        lanes[kept++] = lanes[one];
    }
    return kept;
}

/* Hashes all blocks of up to LANES lanes, side by side as far as they go. */
static void hash_all(Lane **lanes, int count) {
    size_t blocks;
    while ((count = live(lanes, count, &blocks)) > 0) {
#ifdef HAS_LANES
        if (count >= LANES_MIN && __builtin_cpu_supports("avx512f")) {
            hash_lanes(lanes, count, blocks);
            continue;
        }
#endif
        for (int one = 0; one + 1 < count; one += 2)
            hash_two(lanes[one], lanes[one + 1], blocks);
        if (count % 2 == 1)
            hash_one(lanes[count - 1], blocks);
    }
}

/* Takes the bytes that fill the last block; answers the whole blocks behind them. */
static Lane begin(State *state, const uint8_t *data, size_t length) {
    if (length == 0) /* of which data may be NULL */
        return (Lane){state->words, data, 0};
    size_t held = state->bytes % BLOCK_BYTES;
    state->bytes += length;
    if (held > 0) {
        size_t taken = length < BLOCK_BYTES - held ? length : BLOCK_BYTES - held;
        memcpy(state->rest + held, data, taken);
        data += taken, length -= taken;
        if (held + taken == BLOCK_BYTES) {
            Lane last = {state->words, state->rest, 1};
            hash_one(&last, 1);
        }
    }
    return (Lane){state->words, data, length / BLOCK_BYTES};
}

/* Keeps what is left behind the whole blocks. */
static void end(State *state, const Lane *lane, const uint8_t *data, size_t length) {
    size_t left = data + length - lane->data;
    if (left > 0)
        memcpy(state->rest, lane->data, left);
}

static void finish(const State *state, uint8_t digest[16]) {
    State last = *state;
    size_t held = last.bytes % BLOCK_BYTES;
    uint8_t ending[2 * BLOCK_BYTES] = {0x80};
    size_t padding = (held < 56 ? 56 : 56 + BLOCK_BYTES) - held;
    uint64_t bits = last.bytes * 8;
    memcpy(ending + padding, &bits, sizeof bits);
    Lane lane = begin(&last, ending, padding + sizeof bits);
    hash_one(&lane, lane.blocks);
    memcpy(digest, last.words, sizeof last.words);
}

/* --- for Python ----------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    State state;
} MD5;

static PyTypeObject *md5_type; /* one for the process: the module is made once */

static PyObject *md5_new(PyTypeObject *type, PyObject *arguments, PyObject *names) {
    if (!PyArg_ParseTuple(arguments, "") || (names != NULL && PyDict_Size(names) > 0))
        return PyErr_Occurred() ? NULL : (PyErr_SetString(PyExc_TypeError, "MD5() takes nothing"), NULL);
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    MD5 *self = (MD5 *)allocate(type, 0);
    if (self != NULL)
        self->state = (State){.words = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
    return (PyObject *)self;
}

static void md5_free(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyObject *md5_update(PyObject *self, PyObject *data) {
    State *state = &((MD5 *)self)->state;
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    PyThreadState *thread = view.len > ALONE_BYTES_MAX ? PyEval_SaveThread() : NULL;
    Lane lane = begin(state, view.buf, view.len);
    hash_one(&lane, lane.blocks);
    end(state, &lane, view.buf, view.len);
    if (thread != NULL)
        PyEval_RestoreThread(thread);
    PyBuffer_Release(&view);
    Py_RETURN_NONE;
}

static PyObject *md5_digest(PyObject *self, PyObject *nothing) {
    uint8_t digest[16];
    finish(&((MD5 *)self)->state, digest);
    return PyBytes_FromStringAndSize((const char *)digest, sizeof digest);
}

static void let_go(PyObject *hashers[], Py_buffer views[], int count) {
    for (int one = 0; one < count; one++) {
        PyBuffer_Release(&views[one]);
        Py_DECREF(hashers[one]);
    }
}

/* Takes hold of all that up to LANES pairs (MD5, bytes) name; of nothing when one is wrong: -1. */
static int take_hold(PyObject *pairs, PyObject *hashers[], Py_buffer views[], int count) {
    for (int one = 0; one < count; one++) {
        PyObject *pair = PyList_GetItem(pairs, one), *data;
        int is_pair = pair != NULL && PyTuple_Check(pair)
                      && PyArg_ParseTuple(pair, "O!O", md5_type, &hashers[one], &data);
        if (is_pair) {
            Py_INCREF(hashers[one]); /* first: what lends its bytes may be Python, and empty the list */
            Py_INCREF(data);
            is_pair = PyObject_GetBuffer(data, &views[one], PyBUF_SIMPLE) == 0;
            Py_DECREF(data);
            if (!is_pair)
                Py_DECREF(hashers[one]);
        }
        if (!is_pair) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError, "pairs of an MD5 and bytes are wanted");
            let_go(hashers, views, one);
            return -1;
        }
    }
    return 0;
}

static PyObject *update_all(PyObject *module, PyObject *pairs) {
    PyObject *hashers[LANES];
    Py_buffer views[LANES];
    Lane lanes[LANES], *lively[LANES];
    if (!PyList_Check(pairs) || PyList_Size(pairs) > LANES) {
        PyErr_SetString(PyExc_TypeError, "a list of up to 16 pairs is wanted");
        return NULL;
    }
    int count = (int)PyList_Size(pairs);
    if (take_hold(pairs, hashers, views, count) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    for (int one = 0; one < count; one++) {
        lanes[one] = begin(&((MD5 *)hashers[one])->state, views[one].buf, views[one].len);
        lively[one] = &lanes[one];
    }
    hash_all(lively, count);
    for (int one = 0; one < count; one++)
        end(&((MD5 *)hashers[one])->state, &lanes[one], views[one].buf, views[one].len);
    Py_END_ALLOW_THREADS
    let_go(hashers, views, count);
    Py_RETURN_NONE;
}

static PyMethodDef md5_methods[] = {
    {"update", md5_update, METH_O, "Take the next bytes."},
    {"digest", md5_digest, METH_NOARGS, "Answer the MD5 of all bytes so far."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot md5_slots[] = {
    {Py_tp_doc, "A running MD5; to be used by one thread at a time."},
    {Py_tp_new, md5_new},
    {Py_tp_dealloc, md5_free},
    {Py_tp_methods, md5_methods},
    {0, NULL},
};

static PyType_Spec md5_spec = {
    .name = "s3api._md5.MD5",
    .basicsize = sizeof(MD5),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = md5_slots,
};

static PyMethodDef functions[] = {
    {"update_all", update_all, METH_O,
     "Give each MD5 of a list of up to 16 pairs its next bytes; none may be in it twice."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_md5", "MD5 of several messages at a time.", -1, functions,
};

PyMODINIT_FUNC PyInit__md5(void) {
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL)
        return NULL;
    md5_type = (PyTypeObject *)PyType_FromSpec(&md5_spec);
    if (md5_type == NULL || PyModule_AddObjectRef(module, "MD5", (PyObject *)md5_type) < 0
        || PyModule_AddIntConstant(module, "LANES", LANES) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
