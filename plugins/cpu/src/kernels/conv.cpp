// Which way a convolution goes.
#include "conv.h"

#include <algorithm>
#include <type_traits>

#include "../vec.h"
#include "table.h"

namespace dovetail::ISA {
namespace {

bool depthwise(const ConvShape& s) { return s.groups > 1 && s.groups == s.c; }

// Winograd's F(4x4, 3x3) computes 16 outputs with 36 products instead of 144. Its transforms must be worth it: enough
// channels on both sides to multiply, and images that tiles of 4 cover without much waste.
bool winograd_form(const ConvShape& s) {
    return s.winograd && s.kh == 3 && s.kw == 3 && s.sh == 1 && s.sw == 1 && s.dh == 1 && s.dw == 1 && s.groups == 1 && s.ph <= 2 &&
           s.pw <= 2 && s.c >= 16 && s.o >= 16 && s.oh >= 4 && s.ow >= 4;
}
// The weights' transforms are 4 times the weights: with few tiles they cost more than they save.
bool few_tiles(const ConvShape& s) {
    const long tiles = s.n * ((s.oh + 3) / 4) * ((s.ow + 3) / 4);
    return tiles < 8 && s.c * s.o >= 128 * 128;
}

// With columns or without: what each costs, in multiplications for one element of the columns, as measured on shapes of many
// kinds. To make the element costs more where few channels share the search for it, and most where rows are shorter than a
// vector; it is multiplied for each output channel. Without columns some of the products are of what lies between the rows.
double column_cost(const ConvShape& s, long width) {
    const double together = double(std::clamp(256 / s.taps(), 1L, s.c / s.groups));
    return s.ow < width ? 1500 / together : 12 + 45 / together;
}
bool forward_direct(const ConvShape& s, long width) {
    const double waste = double((s.kw - 1) * s.dw / s.sw) / double(s.ow);
    return s.taps() > 1 && double(s.o / s.groups) * waste + 2 < column_cost(s, width);
}
bool input_grad_direct(const ConvShape& s) {
    const long wide = (s.w - 1 + s.pw) / s.sw + 1 + (s.kw - 1) * s.dw / s.sw, channels = s.c / s.groups;
    return s.taps() > 1 && channels >= 4 && double(channels) * (double(wide * s.sw) / double(s.w) - 1) < 10;
}
bool weight_grad_direct(const ConvShape& s, long width) {  // its loads are not aligned: half the speed of a product in tiles
    const double lanes = double((s.ow + width - 1) / width * width) / double(s.ow);
    return s.taps() > 1 && double(s.o / s.groups) * (2 * lanes - 1) < column_cost(s, width) + 10;
}

template <class T> void forward(const ConvShape& s, const T* x, const T* w, const T* bias, T* y) {
    if (depthwise(s)) return depthwise_forward(s, x, w, bias, y);
    if constexpr (std::is_same_v<T, float>)
        if (winograd_form(s) && !few_tiles(s)) return winograd_forward(s, x, w, bias, y);
    if (forward_direct(s, WIDTH<T>)) return direct_forward(s, x, w, bias, y);
    columns_forward(s, x, w, bias, y);
}
template <class T> void input_grad(const ConvShape& s, const T* dy, const T* w, T* dx) {
    if (depthwise(s)) return depthwise_input_grad(s, dy, w, dx);
    if constexpr (std::is_same_v<T, float>)
        if (winograd_form(s) && !few_tiles(s)) return winograd_input_grad(s, dy, w, dx);
    if (input_grad_direct(s)) return direct_input_grad(s, dy, w, dx);
    columns_input_grad(s, dy, w, dx);
}
template <class T> void weight_grad(const ConvShape& s, const T* x, const T* dy, T* dw) {
    if (depthwise(s)) return depthwise_weight_grad(s, x, dy, dw);
    if constexpr (std::is_same_v<T, float>)
        if (winograd_form(s)) return winograd_weight_grad(s, x, dy, dw);
    if (weight_grad_direct(s, WIDTH<T>)) return direct_weight_grad(s, x, dy, dw);
    columns_weight_grad(s, x, dy, dw);
}

}  // namespace

template <> ConvKernels<float> conv_kernels<float>() { return {forward<float>, input_grad<float>, weight_grad<float>}; }
template <> ConvKernels<double> conv_kernels<double>() { return {forward<double>, input_grad<double>, weight_grad<double>}; }

}  // namespace dovetail::ISA
