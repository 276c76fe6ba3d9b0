// Matrix products.
#pragma once

namespace dovetail {

// A matrix in memory: element (i, j) is p[i * row + j * column]; one of the two steps is 1.
template <class T> struct Matrix {
    const T* p;
    long row, column;
};

// What runs on each finished part of C while it is in the cache, on the thread that made it: `height` rows from `row`, `width` columns.
struct After {
    void (*run)(const void* what, long row, long column, long height, long width) = nullptr;
    const void* what = nullptr;
};

// What is done to a finished part of C, once: added along columns (a value for each), along rows, an activation, then what is asked.
enum class Then { nothing, relu };
template <class T> struct Finish {
    const T* by_column = nullptr;
    const T* by_row = nullptr;
    Then then = Then::nothing;
    After after = {};
    double* row_sums = nullptr;  // Σ over each row of A is added to these while A is in the cache; A's rows then lie side by side
};

template <class T> struct ProductKernels {
    // C (m x n, rows ldc apart) = A B, or C += A B with `add`; on all threads.
    void (*product)(long m, long n, long k, const Matrix<T>& a, const Matrix<T>& b, T* c, long ldc, bool add, const Finish<T>& finish);
};

}  // namespace dovetail
