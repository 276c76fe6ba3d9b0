// Images read at the places of a grid, each image at its own: grid_sample and its gradients.
#pragma once
#include <cstdint>

namespace dovetail {

enum class Outside { zeros, border, reflection };

template <class T> struct Sampler {
    long images, channels, h, w, oh, ow;
    const T* image;  // (images, channels, h, w)
    const T* grid;   // (images, oh, ow, 2): pairs (x, y) in -1..1
    bool nearest;    // the pixel that is nearest, halves to even, or the mean of the four around
    Outside outside;
    bool corners;  // whether -1 and 1 are the middles of the pixels at the edges, or the edges themselves
};

template <class T> struct SamplerKernels {
    void (*read)(const Sampler<T>& s, T* out);
    // Of `g` (images, channels, oh, ow) by the images, and by the grid.
    void (*image_grad)(const Sampler<T>& s, const T* g, T* out);
    void (*grid_grad)(const Sampler<T>& s, const T* g, T* out);
};

}  // namespace dovetail
