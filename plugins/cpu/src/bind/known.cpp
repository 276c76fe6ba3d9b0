// What the compiled twin knows of the core's ops (core/dovetail/ops/_op.py) and plans (_plan.py), read once each.
#include <unordered_map>

#include "twin.h"

namespace dovetail::twin {
namespace {

std::vector<long> positions(Object op, const char* what) {
    Ref tuple(PyObject_GetAttrString(op, what)), list(tuple ? PySequence_List(tuple.p) : nullptr);
    if (!list) throw nb::python_error();
    std::vector<long> found;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list.p); i++) found.push_back(PyLong_AsLong(PyList_GET_ITEM(list.p, i)));
    return found;
}

Op read(Object op) {
    auto get = [&](const char* what) {
        Object value = PyObject_GetAttrString(op, what);
        if (!value) throw nb::python_error();
        return value;  // kept: a few hundred ops, each read once
    };
    Op known;
    known.kinds.assign(size_t(PyTuple_GET_SIZE(get("params"))), OTHER);
    known.optional.assign(known.kinds.size(), false);
    for (long i : positions(op, "arrays")) known.kinds[size_t(i)] = ARRAY;
    for (long i : positions(op, "fixed")) known.kinds[size_t(i)] = FIXED;
    for (long i : positions(op, "scalars")) known.kinds[size_t(i)] = SCALAR;
    for (long i : positions(op, "optional")) known.optional[size_t(i)] = true;
    known.table = get("table"), known.reference = get("reference"), known.fast = get("fast"), known.types = get("plain");
    known.saves = PyTuple_GET_SIZE(get("saves")) > 0;
    known.single = PyLong_AsLong(get("n_outputs")) == 1;
    known.contiguous = get("contiguous");
    for (const char* how : {"images", "volumes"})
        known.images |= PyUnicode_Check(known.contiguous) && PyUnicode_CompareWithASCIIString(known.contiguous, how) == 0;
    known.shares = get("alias") != Py_None;
    Object strict = get("strict");
    Ref second(PyLong_FromLong(1));
    known.number = PyDict_GET_SIZE(known.fast) > 0 && PySet_Contains(strict, second.p) == 0;
    known.served = PySet_GET_SIZE(get("lists")) == 0 && PyAnySet_Check(known.types);
    return known;
}

// The rule that `_one_rule` of the core would run, where this plan has such a one.
void read_rule(Object plan, Plan& made) {
    Ref op = get(plan, "op"), rules = get(plan, "rules"), arrays = get(op.p, "arrays"), lists = get(op.p, "lists"),
        kept = get(plan, "kept");
    if (PyList_GET_SIZE(rules.p) != 1 || PySet_GET_SIZE(lists.p)) return;
    Object rule = PyList_GET_ITEM(rules.p, 0);
    Ref names = get(rule, "names"), position = get(rule, "position");
    if (PyTuple_GET_SIZE(names.p) != PyTuple_GET_SIZE(kept.p)) return;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names.p); i++)
        if (PyUnicode_Compare(PyTuple_GET_ITEM(names.p, i), PyTuple_GET_ITEM(PyTuple_GET_ITEM(kept.p, i), 1))) return;
    made.rule = get(rule, "function").give();
    made.count = PyTuple_GET_SIZE(arrays.p);
    made.position = made.count == 1 ? 0 : position.p == Py_None ? -1 : PyLong_AsSsize_t(position.p);
}

}  // namespace

const Op& known(Object op) {
    static std::unordered_map<Object, Op> ops;
    auto found = ops.find(op);
    if (found == ops.end()) found = ops.emplace(Py_NewRef(op), read(op)).first;
    return found->second;
}

const Plan& known_plan(Object plan) {
    static std::unordered_map<Object, Plan> plans;
    auto found = plans.find(plan);
    if (found != plans.end()) return found->second;
    Plan made;
    Ref picks = get(plan, "picks"), boxed = get(plan, "boxed");
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(picks.p); i++) {
        Object pick = PyTuple_GET_ITEM(picks.p, i), what = PyTuple_GET_ITEM(pick, 1);
        auto is = [&](const char* word) { return PyUnicode_CompareWithASCIIString(what, word) == 0; };
        using Pick = Plan::Pick;
        made.picks.push_back({PyLong_AsSsize_t(PyTuple_GET_ITEM(pick, 0)), is("shape")   ? Pick::SHAPE
                                                                           : is("dtype") ? Pick::DTYPE
                                                                                         : Pick::VALUE});
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(boxed.p); i++) made.boxed.push_back(PyLong_AsSsize_t(PyTuple_GET_ITEM(boxed.p, i)));
    made.frees = truth(plan, "frees");
    read_rule(plan, made);
    return plans.emplace(Py_NewRef(plan), std::move(made)).first->second;  // kept: its address stays its own
}

}  // namespace dovetail::twin
