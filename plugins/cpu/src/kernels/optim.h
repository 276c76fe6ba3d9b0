// Updates of optimizers on whole lists of parameters.
#pragma once

namespace dovetail {

// A parameter, its gradient and its states (null where the algorithm goes without), `n` elements each.
template <class T> struct Parameter {
    T* p;
    const T* g;
    T* state[3];
    long n;
};

struct SgdRule {
    double lr, momentum, inflow, l2;
    bool nesterov, maximize;
};
struct AdamRule {
    double step_size, root_correction, beta1, beta2, eps, decay, l2;
    bool maximize;
};

template <class T> struct OptimKernels {
    void (*sgd)(const SgdRule& rule, const Parameter<T>* parameters, long count);    // state 0: momentum_buffer
    void (*adam)(const AdamRule& rule, const Parameter<T>* parameters, long count);  // exp_avg, exp_avg_sq, max_exp_avg_sq
};

}  // namespace dovetail
