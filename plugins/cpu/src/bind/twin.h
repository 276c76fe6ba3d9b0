// What the files of the compiled twin share: references, the parts that the core hands over, and where the slots of its classes lie.
#pragma once
#include "bind.h"

#include <structmember.h>

#include <vector>

namespace dovetail::twin {

using Object = PyObject*;

// A reference that is given back at the end of its scope.
struct Ref {
    Object p;
    explicit Ref(Object owned = nullptr) : p(owned) {}
    Ref(Ref&& other) noexcept : p(std::exchange(other.p, nullptr)) {}
    Ref& operator=(Ref&& other) noexcept {
        std::swap(p, other.p);
        return *this;
    }
    ~Ref() { Py_XDECREF(p); }
    static Ref of(Object borrowed) { return Ref(Py_NewRef(borrowed)); }
    Object give() { return std::exchange(p, nullptr); }
    explicit operator bool() const { return p; }
};

// What the core hands over, by the names of its Python; never given back.
struct Parts {
    PyTypeObject *Tensor, *Parameter, *Node, *Leaf, *Plan;
    Object state, clock, variable, ignore;  // clock: the counter behind `tick`; variable: NumPy's error state
    Object one, two, dispatch, array, afresh, share, finish_many, note_view, view_of;
    Object late, go, finish, freed, stale, after, fitted;
};

// Where the slots of tensors, nodes and leaves lie.
struct Slots {
    Py_ssize_t array, edge, box, view;
    Py_ssize_t plan, edges, saved, boxes, shape, dtype, seq;
    Py_ssize_t leaf_shape, leaf_dtype, leaf_grad, leaf_hooks, leaf_after;
};

extern Parts parts;
extern Slots at;

inline Object& slot(Object o, Py_ssize_t offset) { return *reinterpret_cast<Object*>(reinterpret_cast<char*>(o) + offset); }

inline bool plain(Object x) { return Py_TYPE(x) == parts.Tensor || Py_TYPE(x) == parts.Parameter; }

// A plain tensor's array, borrowed; null where it is no array of NumPy's.
inline Object array_of(Object tensor) {
    Object a = slot(tensor, at.array);
    return a && PyArray_CheckExact(a) ? a : nullptr;
}

// A tensor around an array, with a version box of its own unless one is given; null with an error set.
Object wrap(Object array, Object box = nullptr);

inline Object dtype_of(Object array) { return reinterpret_cast<Object>(PyArray_DESCR(reinterpret_cast<PyArrayObject*>(array))); }

// This thread's word of modes; -1 with an error set where it cannot be read.
inline long word_now() {
    static Object name = PyUnicode_InternFromString("word");
    Ref word(PyObject_GetAttr(parts.state, name));
    return word ? PyLong_AsLong(word.p) : -1;
}

// What is known of an op.
enum Kind : unsigned char { OTHER, ARRAY, FIXED, SCALAR };

struct Op {
    std::vector<Kind> kinds;  // of each parameter
    std::vector<bool> optional;
    Object table, reference, types, fast;  // kept: an op lives as long as the program
    bool served = false;                   // by this file
    bool single = false, saves = false, number = false, shares = false;
    Object contiguous;
    bool images = false;  // or volumes: `contiguous` is one of IMAGES (core/dovetail/ops/_layout.py)
};

const Op& known(Object op);

// What a plan (core/dovetail/ops/_plan.py) keeps of arguments and results, and its gradient rule where that is a single one which asks
// for what is kept, in order.
struct Plan {
    struct Pick {
        Py_ssize_t index;
        enum { VALUE, SHAPE, DTYPE } what;
    };
    std::vector<Pick> picks;
    std::vector<Py_ssize_t> boxed;
    Object rule = nullptr;     // null where the plan's own `backward` runs the rules
    Py_ssize_t position = -1;  // of the array argument that the rule serves, -1 for all
    Py_ssize_t count = 0;      // of array arguments
    bool frees = false;
};

const Plan& known_plan(Object plan);

// Throws where there is an error instead of a reference.
inline Ref must(Object owned) {
    if (!owned) throw nb::python_error();
    return Ref(owned);
}

inline Ref get(Object owner, const char* what) { return must(PyObject_GetAttrString(owner, what)); }

inline bool truth(Object owner, const char* what) { return PyObject_IsTrue(get(owner, what).p) == 1; }

// Walk.go and Walk.finish (core/dovetail/autograd/engine.py).
Object go(Object walk);
Object finish(Object walk);

}  // namespace dovetail::twin
