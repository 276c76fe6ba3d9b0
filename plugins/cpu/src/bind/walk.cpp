// The compiled twin of the core's `Walk.go` (core/dovetail/autograd/engine.py): the walk of backward(), newest node first.
#include <limits>
#include <queue>
#include <unordered_set>

#include "twin.h"

namespace dovetail::twin {
namespace {

constexpr long OBSERVE = 4, ALL = std::numeric_limits<long>::max();
constexpr Py_ssize_t LARGE = 1 << 16;  // as in the core

long seq_of(Object node) { return PyLong_AsLong(slot(node, at.seq)); }

struct Newer {
    bool operator()(const std::pair<long, Object>& a, const std::pair<long, Object>& b) const { return a.first < b.first; }
};

bool same_shape(Object array, Object shape) {
    auto* a = reinterpret_cast<PyArrayObject*>(array);
    if (!shape || !PyTuple_Check(shape) || PyTuple_GET_SIZE(shape) != PyArray_NDIM(a)) return false;
    for (int d = 0; d < PyArray_NDIM(a); d++)
        if (PyLong_AsLong(PyTuple_GET_ITEM(shape, d)) != PyArray_DIM(a, d)) return false;
    return true;
}

bool listened(Object leaf) { return PyDict_GET_SIZE(slot(leaf, at.leaf_hooks)) || PyDict_GET_SIZE(slot(leaf, at.leaf_after)); }

Py_ssize_t bytes(Object tensor) {
    Object a = plain(tensor) ? array_of(tensor) : nullptr;
    return a ? PyArray_NBYTES(reinterpret_cast<PyArrayObject*>(a)) : 0;
}

// A tuple or list of what an iterable gives.
Ref items(Object iterable) { return must(PySequence_Fast(iterable, "backward: a node's edges, boxes and gradients must be sequences")); }

// A kept value as a rule sees it: arrays as tensors, plain values as they are; null without an error for what only Python lifts.
Ref lifted(Object value) {
    static Object box = Py_BuildValue("[iiOO]", 0, 0, Py_None, Py_None);  // rules change nothing: one box for all
    if (PyArray_CheckExact(value)) return must(wrap(value, box));
    const bool as_it_is = value == Py_None || PyLong_Check(value) || PyFloat_CheckExact(value) || PyUnicode_CheckExact(value) ||
                          PyTuple_CheckExact(value) || PyArray_DescrCheck(value);
    return as_it_is ? Ref::of(value) : Ref();
}

// The gradients of a node's inputs, one for each edge.
Ref backward(Object plan, const Plan& about, Object g, Object saved) {
    constexpr Py_ssize_t MOST = 12;
    const Py_ssize_t kept = PyTuple_CheckExact(saved) ? PyTuple_GET_SIZE(saved) : MOST;
    if (about.rule && kept < MOST) {
        Ref values[MOST];
        Object given[MOST + 1] = {g};
        Py_ssize_t n = 0;
        while (n < kept && (values[n] = lifted(PyTuple_GET_ITEM(saved, n)))) n++, given[n] = values[n - 1].p;
        if (n == kept) {
            Ref r = must(PyObject_Vectorcall(about.rule, given, size_t(n + 1), nullptr));
            if (about.position < 0) return r;
            Ref grads = must(PyTuple_New(about.count));
            for (Py_ssize_t i = 0; i < about.count; i++)
                PyTuple_SET_ITEM(grads.p, i, i == about.position ? Py_NewRef(r.p) : Py_NewRef(Py_None));
            return grads;
        }
    }
    return must(PyObject_CallFunctionObjArgs(get(plan, "backward").p, g, saved, nullptr));
}

// One backward. Nodes that wait are held by the table of their gradients; the heap holds one more reference each.
struct Walk {
    Object walk;
    Ref table, heap, leaves, leading, send;
    bool keep, special, hidden;
    long limit;  // the clock of the next node to which a leaf that is listened to waits; 0 without one
    std::priority_queue<std::pair<long, Object>, std::vector<std::pair<long, Object>>, Newer> waiting;
    std::unordered_set<Object> summed;  // leaves whose gradient so far is a sum of ours, seen by nobody else

    Walk(Object walk, long word)
        : walk(walk),
          table(get(walk, "table")),
          heap(get(walk, "heap")),
          leaves(get(walk, "leaves")),
          leading(get(walk, "leading")),
          send(get(walk, "send")),
          keep(truth(walk, "keep")),
          special(get(walk, "wanted").p != Py_None),
          hidden(!(word & OBSERVE)),
          limit(PyDict_GET_SIZE(leaves.p) ? ALL : 0) {}
    ~Walk() {
        for (; !waiting.empty(); waiting.pop()) Py_DECREF(waiting.top().second);
    }

    void wait(Object node) { waiting.push({seq_of(node), Py_NewRef(node)}); }

    // What Python's `send` put on its own heap.
    void drain() {
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(heap.p); i++) wait(PyTuple_GET_ITEM(PyList_GET_ITEM(heap.p, i), 1));
        if (PyList_GET_SIZE(heap.p) && PyList_SetSlice(heap.p, 0, PyList_GET_SIZE(heap.p), nullptr)) throw nb::python_error();
    }

    Ref sum(Object a, Object b) { return must(PyObject_CallFunctionObjArgs(get(parts.late, "add").p, a, b, nullptr)); }

    Object find(Object dict, Object key) {
        Object found = PyDict_GetItemWithError(dict, key);
        if (!found && PyErr_Occurred()) throw nb::python_error();
        return found;
    }

    void put(Object dict, Object key, Object value) {
        if (PyDict_SetItem(dict, key, value)) throw nb::python_error();
    }

    void raise(Ref error) {
        PyErr_SetObject(reinterpret_cast<Object>(Py_TYPE(error.p)), error.p);
        throw nb::python_error();
    }

    void deliver(Object edge, Ref r) {
        const bool to_node = Py_TYPE(edge) == parts.Node, to_leaf = Py_TYPE(edge) == parts.Leaf;
        Object a = plain(r.p) ? array_of(r.p) : nullptr;
        const bool fits = a && (to_node || to_leaf) && same_shape(a, slot(edge, to_node ? at.shape : at.leaf_shape)) &&
                          dtype_of(a) == slot(edge, to_node ? at.dtype : at.leaf_dtype);
        if (!fits) r = must(PyObject_CallFunctionObjArgs(parts.fitted, r.p, edge, nullptr));
        if (to_node) {
            if (Object had = find(table.p, edge)) {
                put(table.p, edge, sum(had, r.p).p);
            } else {
                put(table.p, edge, r.p);
                wait(edge);
            }
        } else if (to_leaf) {
            Object had = find(leaves.p, edge);
            if (!had) {
                put(leaves.p, edge, r.p);
                if (listened(edge) || (slot(edge, at.leaf_grad) != Py_None && bytes(r.p) > LARGE)) limit = ALL;
            } else if (summed.contains(edge) && plain(had) && plain(r.p)) {
                Ref total = must(PyNumber_InPlaceAdd(slot(had, at.array), slot(r.p, at.array)));
                Py_SETREF(slot(had, at.array), total.give());
            } else {
                Ref total = sum(had, r.p);
                put(leaves.p, edge, total.p);
                if (hidden && plain(total.p)) summed.insert(edge);
            }
        } else {
            must(PyObject_CallFunctionObjArgs(send.p, edge, r.p, nullptr));
            drain();
        }
    }

    // Python's `hand`: it gives the leaves what is complete, and says when the next one is.
    void hand(long before) {
        Ref next = must(PyObject_CallMethod(walk, "hand", "l", before));
        const double clock = PyFloat_AsDouble(next.p);
        if (clock == -1 && PyErr_Occurred()) throw nb::python_error();
        limit = clock < double(ALL) ? long(clock) : ALL;
    }

    void visit(Object node) {
        const bool watched = Py_TYPE(node) != parts.Node;
        if (watched || seq_of(node) < limit) hand(seq_of(node));
        Ref g = Ref::of(find(table.p, node));
        if (PyDict_DelItem(table.p, node)) throw nb::python_error();
        if (special || watched) {
            g = must(PyObject_CallFunctionObjArgs(get(walk, "arrive").p, node, g.p, nullptr));
            if (g.p == Py_None) return;
        }
        Ref saved = Ref::of(slot(node, at.saved));
        if (saved.p == Py_None) raise(must(PyObject_CallNoArgs(parts.freed)));
        Ref boxes = items(slot(node, at.boxes));
        Object seq = slot(node, at.seq);
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(boxes.p); i++) {
            Object box = PySequence_Fast_GET_ITEM(boxes.p, i), changed = PyList_GET_ITEM(box, 0);
            const int later = PyObject_RichCompareBool(changed, seq, Py_GT);
            if (later < 0) throw nb::python_error();
            if (later) raise(must(PyObject_CallFunctionObjArgs(parts.stale, node, box, nullptr)));
        }
        Object narrowed = special ? find(leading.p, node) : nullptr;  // where less is asked of it than its own plan would give
        Ref plan = Ref::of(narrowed ? narrowed : slot(node, at.plan));
        // A node of a user's Function has a plan of its own.
        const Plan* about = Py_TYPE(plan.p) == parts.Plan ? &known_plan(plan.p) : nullptr;
        Ref grads = about ? backward(plan.p, *about, g.p, saved.p)
                          : must(PyObject_CallFunctionObjArgs(get(plan.p, "backward").p, g.p, saved.p, nullptr));
        if (!keep && (about ? about->frees : truth(plan.p, "frees"))) {
            Py_SETREF(slot(node, at.saved), Py_NewRef(Py_None));
            Py_SETREF(slot(node, at.boxes), PyTuple_New(0));
        }
        saved = Ref();  // what was kept is free before the gradients go on
        if (watched) grads = must(PyObject_CallFunctionObjArgs(parts.after, node, grads.p, g.p, nullptr));
        grads = items(grads.p);
        Ref edges = items(slot(node, at.edges));
        const Py_ssize_t count = std::min(PySequence_Fast_GET_SIZE(edges.p), PySequence_Fast_GET_SIZE(grads.p));
        for (Py_ssize_t i = 0; i < count; i++) {
            Object edge = PySequence_Fast_GET_ITEM(edges.p, i), r = PySequence_Fast_GET_ITEM(grads.p, i);
            if (r != Py_None && edge != Py_None) deliver(edge, Ref::of(r));
        }
    }
};

}  // namespace

Object go(Object object) {
    const long word = word_now();
    if (word < 0 && PyErr_Occurred()) return nullptr;
    if (truth(object, "create_graph") || get(parts.late, "inspect").p != Py_None) return PyObject_CallOneArg(parts.go, object);
    Walk walk(object, word);
    walk.drain();
    while (!walk.waiting.empty()) {
        Ref node(walk.waiting.top().second);
        walk.waiting.pop();
        walk.visit(node.p);
    }
    if (walk.limit) walk.hand(-1);
    return Py_NewRef(Py_None);
}

// Hand the leaves their gradients that have none yet. A leaf that has one, or is listened to, is for Python's `give`.
Object finish(Object walk) {
    if (get(walk, "wanted").p != Py_None || !truth(walk, "accumulate") || truth(walk, "create_graph"))
        return PyObject_CallOneArg(parts.finish, walk);
    Ref taken = get(walk, "taken"), leaves = get(walk, "leaves"), give;
    Ref pairs = must(PyDict_Items(leaves.p));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(pairs.p); i++) {
        Object edge = PyTuple_GET_ITEM(PyList_GET_ITEM(pairs.p, i), 0), g = PyTuple_GET_ITEM(PyList_GET_ITEM(pairs.p, i), 1);
        Object a = plain(g) ? array_of(g) : nullptr;
        if (!a || slot(edge, at.leaf_grad) != Py_None || listened(edge)) {
            if (!give) give = get(walk, "give");
            must(PyObject_CallFunctionObjArgs(give.p, edge, g, nullptr));
            continue;
        }
        auto* array = reinterpret_cast<PyArrayObject*>(a);
        Ref place = must(PyLong_FromVoidPtr(a));
        const bool mine = !PyArray_BASE(array) && PyArray_IS_C_CONTIGUOUS(array) && PySet_Contains(taken.p, place.p) == 0;
        Ref own = mine                             ? Ref::of(a)
                  : PyArray_IS_C_CONTIGUOUS(array) ? must(PyArray_NewCopy(array, NPY_CORDER))
                                                   : Ref(straight(a).release().ptr());
        Py_SETREF(slot(edge, at.leaf_grad), must(wrap(own.p)).give());
        if (PySet_Add(taken.p, place.p)) throw nb::python_error();
    }
    return Py_NewRef(Py_None);
}

}  // namespace dovetail::twin
