// The compiled twin of the core's `one`, `two` and `dispatch` (core/dovetail/ops/_call.py): the same steps in the same order, for calls
// whose tensors are plain ones of one NumPy type on the CPU. Anything else is handed to the Python that it is the twin of.
#include "twin.h"

#include <unordered_map>

namespace dovetail {
namespace twin {

Parts parts;
Slots at;

Object wrap(Object array, Object box) {
    static Object nothing = PyTuple_New(0), zero = PyLong_FromLong(0);
    Ref t(PyBaseObject_Type.tp_new(parts.Tensor, nothing, nullptr)), own(box ? Py_NewRef(box) : PyList_New(4));
    if (!t || !own) return nullptr;
    for (int i = 0; !box && i < 4; i++) PyList_SET_ITEM(own.p, i, Py_NewRef(i < 2 ? zero : Py_None));
    slot(t.p, at.array) = Py_NewRef(array), slot(t.p, at.edge) = Py_NewRef(Py_None), slot(t.p, at.box) = own.give();
    return t.give();
}

namespace {

PyTypeObject* native;  // the type of this module's own functions

struct Names {
    Object forward, rules, plans, plan, shape, dtype, cpu;
} name;

// ---------------------------------------------------------------------------------------------------- recording a call

// A call that is being served: its arguments as they came, as arrays, and the tensors among them.
struct Call {
    static constexpr Py_ssize_t MOST = 24;
    Object op;
    const Op& known;
    Object* args;
    Py_ssize_t count;
    long word;
    Object raw[MOST], edges[MOST];  // borrowed
    Py_ssize_t arrays = 0;
    unsigned long mask = 0;
    Object dtype = nullptr, impl = nullptr;

    bool take();
    Object finish(Ref out);
    Object finish_many(Ref out);
    Object record(Object t, Object out, Object* extras, Py_ssize_t more, bool guarded = true);
};

// Take the arrays out of the tensors; false where Python must serve the call.
bool Call::take() {
    if (!known.served || count > MOST || count != (Py_ssize_t)known.kinds.size()) return false;
    bool numbers = false;
    for (Py_ssize_t i = 0; i < count; i++) {
        Object x = raw[i] = args[i];
        switch (known.kinds[size_t(i)]) {
        case ARRAY:
            edges[arrays] = Py_None;
            if (plain(x)) {
                Object a = raw[i] = array_of(x);
                if (!a || (dtype && dtype_of(a) != dtype)) return false;
                dtype = dtype_of(a);
                Object n = slot(x, at.edge);
                if (!n) return false;
                if (n != Py_None) mask |= 1UL << arrays;
                edges[arrays] = n;
            } else if (i == 1 && known.number && (PyFloat_CheckExact(x) || PyLong_CheckExact(x))) {
                numbers = true;
            } else if (x != Py_None || !known.optional[size_t(i)]) {
                return false;
            }
            arrays++;
            break;
        case FIXED:
            if (plain(x)) {
                if (!(raw[i] = array_of(x))) return false;
            } else if (x != Py_None) {
                return false;
            }
            break;
        case SCALAR:
            if (!PyFloat_CheckExact(x) && !PyLong_CheckExact(x) && !PyBool_Check(x) && x != Py_None) return false;
            break;
        case OTHER:
            break;
        }
    }
    if (!dtype || PySet_Contains(known.types, dtype) != 1) return false;
    const int type = reinterpret_cast<PyArray_Descr*>(dtype)->type_num;
    if (numbers && type != NPY_FLOAT32 && type != NPY_FLOAT64) return false;
    if (type != NPY_FLOAT32 && type != NPY_FLOAT64 && type != NPY_INT64 && type != NPY_BOOL)
        return false;  // half precision has steps of its own
    impl = known.reference;
    if (PyDict_GET_SIZE(known.table)) {
        Ref key(PyTuple_Pack(2, name.cpu, dtype));
        if (Object found = key ? PyDict_GetItemWithError(known.table, key.p) : nullptr) impl = found;
    }
    return !PyErr_Occurred();
}

// Let the result remember its call; not guarded: a view's rule keeps nothing that a change would spoil.
Object Call::record(Object t, Object out, Object* extras, Py_ssize_t more, bool guarded) {
    Ref rules(PyObject_GetAttr(impl, name.rules));
    if (!rules) return nullptr;
    const char kind = PyArray_DESCR(reinterpret_cast<PyArrayObject*>(out))->kind;
    if (!mask || !(word & 1) || !PyDict_GET_SIZE(rules.p) || (guarded && !(kind == 'f' || kind == 'c' || kind == 'V'))) return t;
    Ref plans(PyObject_GetAttr(impl, name.plans)), key(PyLong_FromUnsignedLong(mask));
    if (!plans || !key) return nullptr;
    Object found = PyDict_GetItemWithError(plans.p, key.p);
    Ref plan(found ? Py_NewRef(found) : PyErr_Occurred() ? nullptr : PyObject_CallMethodOneArg(impl, name.plan, key.p));
    if (!plan) return nullptr;
    const Plan& keeps = known_plan(plan.p);
    Ref node(parts.Node->tp_alloc(parts.Node, 0));
    Ref saved(PyTuple_New((Py_ssize_t)keeps.picks.size())), edge(PyTuple_New(arrays));
    if (!node || !saved || !edge) return nullptr;
    auto value = [&](Py_ssize_t i) {
        return i < count ? raw[i] : i == count ? out : i - count - 1 < more ? extras[i - count - 1] : Py_None;
    };
    for (size_t i = 0; i < keeps.picks.size(); i++) {
        auto [index, what] = keeps.picks[i];
        Object v = value(index), kept;
        if (what == Plan::Pick::VALUE) kept = Py_NewRef(v);
        else if ((kept = PyObject_GetAttr(v, what == Plan::Pick::SHAPE ? name.shape : name.dtype)) == nullptr) {
            PyErr_Clear();
            kept = what == Plan::Pick::SHAPE ? PyTuple_New(0) : Py_NewRef(Py_None);
        }
        PyTuple_SET_ITEM(saved.p, (Py_ssize_t)i, kept);
    }
    Py_ssize_t held = 0;
    Object boxes[MOST + 1];  // of all arguments, and of the result
    for (Py_ssize_t i : keeps.boxed)
        if (Object v = i < count ? args[i] : i == count ? t : nullptr; guarded && v && plain(v)) boxes[held++] = slot(v, at.box);
    Ref box(PyTuple_New(held));
    if (!box) return nullptr;
    for (Py_ssize_t i = 0; i < held; i++) PyTuple_SET_ITEM(box.p, i, Py_NewRef(boxes[i]));
    for (Py_ssize_t i = 0; i < arrays; i++) PyTuple_SET_ITEM(edge.p, i, Py_NewRef(edges[i]));
    Ref seq(PyIter_Next(parts.clock)), shape(PyObject_GetAttr(out, name.shape));
    if (!seq || !shape) return nullptr;
    slot(node.p, at.plan) = plan.give(), slot(node.p, at.edges) = edge.give();
    slot(node.p, at.saved) = saved.give(), slot(node.p, at.boxes) = box.give();
    slot(node.p, at.shape) = shape.give(), slot(node.p, at.seq) = seq.give();
    slot(node.p, at.dtype) = Py_NewRef(dtype_of(out));
    Py_SETREF(slot(t, at.edge), node.give());
    return t;
}

Ref tuple_of(Object* items, Py_ssize_t count) {
    Ref made(PyTuple_New(count));
    for (Py_ssize_t i = 0; made && i < count; i++) PyTuple_SET_ITEM(made.p, i, Py_NewRef(items[i]));
    return made;
}

// `_finish_many`, which is Python's, for an op of several results.
Object Call::finish_many(Ref out) {
    Ref extras(PyTuple_New(0));
    if (known.saves) {
        Ref whole(PySequence_Tuple(out.p));
        if (!whole || !PyTuple_GET_SIZE(whole.p)) return nullptr;
        out = Ref::of(PyTuple_GET_ITEM(whole.p, 0));
        extras = Ref(PyTuple_GetSlice(whole.p, 1, PyTuple_GET_SIZE(whole.p)));
    }
    Ref given = tuple_of(args, count), values = tuple_of(raw, count), ends = tuple_of(edges, arrays);
    Ref needs(PyLong_FromUnsignedLong(word & 1 ? mask : 0)), mode(PyLong_FromLong(word));
    if (!extras || !given || !values || !ends || !needs || !mode) return nullptr;
    return PyObject_CallFunctionObjArgs(parts.finish_many, op, impl, given.p, values.p, out.p, extras.p, ends.p, needs.p, mode.p, nullptr);
}

// Whether it is an array whose elements do not lie one after the other.
bool gaps(Object a) { return PyArray_CheckExact(a) && !PyArray_IS_C_CONTIGUOUS(reinterpret_cast<PyArrayObject*>(a)); }

// Wrap what the forward returned, and record the call if a gradient may be asked for.
Object Call::finish(Ref out) {
    Ref whole;
    Object* extras = nullptr;
    Py_ssize_t more = 0;
    if (known.saves) {  // (out, *saves)
        whole = Ref(PySequence_Tuple(out.p));
        if (!whole || !PyTuple_GET_SIZE(whole.p)) return nullptr;
        out = Ref::of(PyTuple_GET_ITEM(whole.p, 0));
        more = PyTuple_GET_SIZE(whole.p) - 1, extras = more ? &PyTuple_GET_ITEM(whole.p, 1) : nullptr;
    }
    if (!PyArray_CheckExact(out.p)) out = Ref(PyObject_CallOneArg(parts.array, out.p));
    if (!out) return nullptr;
    if (known.contiguous != Py_False && (gaps(out.p) || (known.images && (gaps(raw[0]) || (count > 1 && gaps(raw[1])))))) {
        Ref given = tuple_of(raw, count);
        out = given ? Ref(PyObject_CallFunctionObjArgs(parts.afresh, out.p, known.contiguous, given.p, nullptr)) : Ref();
    }
    if (!out || !PyArray_CheckExact(out.p)) return nullptr;
    Ref t(wrap(out.p));
    if (!t) return nullptr;
    if (known.shares) {
        Ref given = tuple_of(args, count), made(PyList_New(1)), mode(PyLong_FromLong(word));
        if (!given || !made || !mode) return nullptr;
        PyList_SET_ITEM(made.p, 0, Py_NewRef(t.p));
        if (!Ref(PyObject_CallFunctionObjArgs(parts.share, op, given.p, made.p, mode.p, nullptr))) return nullptr;
    }
    return record(t.p, out.p, extras, more) ? t.give() : nullptr;
}

// ---------------------------------------------------------------------------------------------------- the calls

// The forward of an implementation, with NumPy's warnings silenced where it is not one of ours, which raise none.
Ref forward(Call& call) {
    Ref function(PyObject_GetAttr(call.impl, name.forward));
    if (!function) return Ref();
    const bool quiet = Py_TYPE(function.p) == native;
    Ref token(quiet ? nullptr : PyContextVar_Set(parts.variable, parts.ignore));
    Ref out(PyObject_Vectorcall(function.p, call.raw, size_t(call.count), nullptr));
    if (token) {
        Object kind, value, trace;
        PyErr_Fetch(&kind, &value, &trace);
        PyContextVar_Reset(parts.variable, token.p);
        PyErr_Restore(kind, value, trace);
    }
    return out;
}

// The whole call where it can be served here; null and no error where it cannot.
Object serve(Call& call, bool& failed) {
    failed = false;
    if (!call.take()) return nullptr;
    Ref out = forward(call);
    if (out.p == Py_NotImplemented && call.impl != call.known.reference) {
        call.impl = call.known.reference;
        out = forward(call);
    }
    if (!out) {
        failed = true;
        return nullptr;
    }
    Object made = call.known.single ? call.finish(std::move(out)) : call.finish_many(std::move(out));
    failed = !made && PyErr_Occurred();
    return made;
}

bool matches(std::initializer_list<Object> kinds) {
    for (Object kind : kinds)
        if (PyErr_ExceptionMatches(kind)) return true;
    return false;
}

// Python's turn: after a failure too, which it meets again and explains.
template <class Slow> Object served(Object op, Object* args, Py_ssize_t count, Slow&& slow) {
    const Op& about = known(op);
    const long word = word_now();
    if (word == 0 || word == 1) {  // nothing is on besides recording
        Call call{op, about, args, count, word, {}, {}};
        bool failed;
        if (Object made = serve(call, failed)) return made;
        if (failed &&
            !matches({PyExc_ValueError, PyExc_IndexError, PyExc_TypeError, PyExc_AttributeError, PyExc_OverflowError, PyExc_MemoryError}))
            return nullptr;
        PyErr_Clear();
    }
    return slow();
}

Object one(Object, Object* args, Py_ssize_t count) {
    return served(args[0], args + 1, 1, [&] { return PyObject_Vectorcall(parts.one, args, size_t(count), nullptr); });
}

Object two(Object, Object* args, Py_ssize_t count) {
    return served(args[0], args + 1, 2, [&] { return PyObject_Vectorcall(parts.two, args, size_t(count), nullptr); });
}

Object dispatch(Object, Object* args, Py_ssize_t count) {
    auto slow = [&] { return PyObject_Vectorcall(parts.dispatch, args, size_t(count), nullptr); };
    Object given = args[1];
    if (!PyTuple_CheckExact(given) && !PyList_CheckExact(given)) return slow();
    return served(args[0], PySequence_Fast_ITEMS(given), PySequence_Fast_GET_SIZE(given), slow);
}

Object walked(Object, Object* args, Py_ssize_t) { return go(args[0]); }
Object finished(Object, Object* args, Py_ssize_t) { return finish(args[0]); }

// view_of (core/dovetail/ops/_viewing.py): op, input, args, out, word, shares
Object view_of(Object, Object* given, Py_ssize_t count) {
    Object op = given[0], input = given[1], args = given[2], out = given[3];
    if (!plain(input) || !PyArray_CheckExact(out) || !array_of(input))
        return PyObject_Vectorcall(parts.view_of, given, size_t(count), nullptr);
    const Op& about = known(op);
    const long word = PyLong_AsLong(given[4]);
    const bool shares = count < 6 || PyObject_IsTrue(given[5]) == 1;
    Object box = slot(input, at.box), n = slot(input, at.edge);
    Ref t(wrap(out, shares ? box : nullptr)), rest(PySequence_Tuple(args));
    if (!t || !rest) return nullptr;
    const Py_ssize_t more = PyTuple_GET_SIZE(rest.p);
    if (more >= Call::MOST) return PyObject_Vectorcall(parts.view_of, given, size_t(count), nullptr);
    Ref all(PyTuple_New(more + 1));
    if (!all) return nullptr;
    PyTuple_SET_ITEM(all.p, 0, Py_NewRef(input));
    for (Py_ssize_t i = 0; i < more; i++) PyTuple_SET_ITEM(all.p, i + 1, Py_NewRef(PyTuple_GET_ITEM(rest.p, i)));
    if (shares) {
        Py_XSETREF(slot(t.p, at.view), Py_BuildValue("(OOOOO)", input, op, all.p, Py_None, word ? Py_True : Py_False));
        if (!slot(t.p, at.view)) return nullptr;
        const bool frozen = PyFloat_Check(PyList_GET_ITEM(box, 0));  // infinity: made in inference mode
        if (word && Py_TYPE(n) != parts.Leaf && !frozen && !Ref(PyObject_CallFunctionObjArgs(parts.note_view, box, t.p, nullptr)))
            return nullptr;
    }
    if (n == Py_None || !word) return t.give();
    Call call{op, about, &PyTuple_GET_ITEM(all.p, 0), more + 1, word, {}, {}};
    for (Py_ssize_t i = 0; i <= more; i++) call.raw[i] = PyTuple_GET_ITEM(all.p, i);
    call.raw[0] = slot(input, at.array), call.edges[0] = n, call.arrays = 1, call.mask = 1, call.impl = about.reference;
    return call.record(t.p, out, nullptr, 0, false) ? t.give() : nullptr;
}

template <Object (*F)(Object, Object*, Py_ssize_t)> Object guarded(Object self, Object const* args, Py_ssize_t count) {
    try {
        return F(self, const_cast<Object*>(args), count);
    } catch (nb::python_error& error) {
        error.restore();
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    }
    return nullptr;
}

Py_ssize_t offset(PyTypeObject* type, const char* slot) {
    Ref member(PyObject_GetAttrString(reinterpret_cast<Object>(type), slot));
    if (!member || !PyObject_TypeCheck(member.p, &PyMemberDescr_Type)) throw nb::type_error("dovetail_cpu.twin: a slot is missing");
    return reinterpret_cast<PyMemberDescrObject*>(member.p)->d_member->offset;
}

nb::dict make(nb::dict given) {
    auto take = [&](const char* what) { return nb::object(given[what]).release().ptr(); };
    auto type = [&](const char* what) { return reinterpret_cast<PyTypeObject*>(take(what)); };
    parts = {type("Tensor"),   type("Parameter"),   type("Node"),      type("Leaf"),    type("Plan"),     take("state"), take("clock"),
             take("variable"), take("ignore"),      take("one"),       take("two"),     take("dispatch"), take("array"), take("afresh"),
             take("share"),    take("finish_many"), take("note_view"), take("view_of"), take("late"),     take("go"),    take("finish"),
             take("freed"),    take("stale"),       take("after"),     take("fitted")};
    at = {offset(parts.Tensor, "_a"),  offset(parts.Tensor, "_n"),  offset(parts.Tensor, "_v"),  offset(parts.Tensor, "_b"),
          offset(parts.Node, "plan"),  offset(parts.Node, "edges"), offset(parts.Node, "saved"), offset(parts.Node, "boxes"),
          offset(parts.Node, "shape"), offset(parts.Node, "dtype"), offset(parts.Node, "seq"),   offset(parts.Leaf, "shape"),
          offset(parts.Leaf, "dtype"), offset(parts.Leaf, "grad"),  offset(parts.Leaf, "hooks"), offset(parts.Leaf, "after")};
    auto word = [](const char* text) { return PyUnicode_InternFromString(text); };
    name = {word("forward"), word("rules"), word("plans"), word("plan"), word("shape"), word("dtype"), word("cpu")};
    static PyMethodDef methods[] = {
        {"one", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(&guarded<one>)), METH_FASTCALL, nullptr},
        {"two", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(&guarded<two>)), METH_FASTCALL, nullptr},
        {"walk", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(&guarded<walked>)), METH_FASTCALL, nullptr},
        {"collect", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(&guarded<finished>)), METH_FASTCALL, nullptr},
        {"view_of", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(&guarded<view_of>)), METH_FASTCALL, nullptr},
        {"dispatch", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(&guarded<dispatch>)), METH_FASTCALL, nullptr},
    };
    nb::dict made;
    for (PyMethodDef& m : methods) made[m.ml_name] = nb::steal(PyCFunction_New(&m, nullptr));
    return made;
}

}  // namespace
}  // namespace twin

void bind_twin(nb::module_& m) {
    m.def("twin", &twin::make, nb::arg("parts"));
    twin::native = Py_TYPE(nb::object(m.attr("twin")).ptr());
}

}  // namespace dovetail
