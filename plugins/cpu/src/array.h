// NumPy arrays as kernels see them, and new ones whose memory comes from the cache of allocator.cpp.
#pragma once
#ifndef ARRAY_MAIN
#define NO_IMPORT_ARRAY
#endif
#define PY_ARRAY_UNIQUE_SYMBOL dovetail_cpu_numpy
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#include <nanobind/nanobind.h>
#include <numpy/arrayobject.h>

#include <initializer_list>

namespace nb = nanobind;

namespace dovetail {

// What a kernel looks at: it owns nothing and lives as long as the call.
struct Array {
    PyArrayObject* a;

    explicit Array(nb::handle h) : a(reinterpret_cast<PyArrayObject*>(h.ptr())) {}
    int ndim() const { return PyArray_NDIM(a); }
    long size(int i) const { return PyArray_DIM(a, i < 0 ? i + ndim() : i); }
    // Elements, not bytes, from one index to the next.
    long stride(int i) const { return PyArray_STRIDE(a, i < 0 ? i + ndim() : i) / PyArray_ITEMSIZE(a); }
    long count() const { return PyArray_SIZE(a); }
    int type() const { return PyArray_TYPE(a); }
    bool contiguous() const { return PyArray_IS_C_CONTIGUOUS(a); }
    bool aligned() const { return PyArray_ISALIGNED(a) && PyArray_ISNOTSWAPPED(a); }
    const npy_intp* shape() const { return PyArray_DIMS(a); }
    template <class T> T* data() const { return static_cast<T*>(PyArray_DATA(a)); }
};

// Whether two arrays lie in a common stretch of memory.
bool overlap(const Array& a, const Array& b);

inline bool is_array(nb::handle h) { return PyArray_CheckExact(h.ptr()); }

// What a kernel returns to say that the reference should serve the call.
inline nb::object decline() { return nb::borrow(Py_NotImplemented); }

// A new array, contiguous, with undefined contents. Raises MemoryError.
nb::object fresh(int ndim, const npy_intp* shape, int type);
inline nb::object fresh(std::initializer_list<npy_intp> shape, int type) { return fresh((int)shape.size(), shape.begin(), type); }
inline nb::object fresh_like(const Array& x) { return fresh(x.ndim(), x.shape(), x.type()); }
// Likewise, with the dimensions in the order in which those of `x` lie in memory, which it fills without gaps.
nb::object fresh_as(const Array& x);

// The array itself where it is contiguous and aligned, else a contiguous copy; kept alive by the result.
nb::object straight(nb::handle array);

// Whether images or volumes lie in channels-last order, without gaps.
bool channels_last(const Array& x);
// The array's view with the channels, its second dimension, as the last one.
nb::object channels_moved(const Array& x);
// A contiguous result, in channels-last order where one that it was made of is.
nb::object as_images(nb::object out, const Array& of);

// Compute without holding Python's lock where there is much to do; f may touch nothing of Python's.
template <class F> void quietly(double work, F&& f) {
    if (work < 1e5) {  // sooner done than others could make use of it
        f();
        return;
    }
    nb::gil_scoped_release released;
    f();
}

}  // namespace dovetail
