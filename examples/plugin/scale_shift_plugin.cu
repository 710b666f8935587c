// A TensorRT 8.6 plugin: y = x * factor + shift, for float32 tensors of any shape.
//
//   nvcc -shared -Xcompiler -fPIC -O2 scale_shift_plugin.cu -o libscale_shift.so
//
// With TensorRT's headers, write #include <NvInfer.h> in place of tensorrt_plugin_8.h.
#include "tensorrt_plugin_8.h"

#include <cstring>
#include <new>
#include <string>

using namespace nvinfer1;

#ifdef __CUDACC__
#include <cuda_runtime_api.h>

__global__ void scaleShift(float const* x, float* y, int64_t count, float factor, float shift) {
    int64_t const step = int64_t(gridDim.x) * blockDim.x;
    for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
        y[i] = x[i] * factor + shift;
    }
}

static int32_t launch(float const* x, float* y, int64_t count, float factor, float shift, CUstream_st* stream) {
    if (count == 0) {
        return 0;
    }
    int64_t const threads = 256, most = 65535, blocks = (count + threads - 1) / threads;
    scaleShift<<<unsigned(blocks < most ? blocks : most), unsigned(threads), 0, stream>>>(x, y, count, factor, shift);
    return cudaPeekAtLastError() == cudaSuccess ? 0 : 1;
}
#else
// Built by a C++ compiler, the library can be loaded and its creator called, and no engine runs.
static int32_t launch(float const*, float*, int64_t, float, float, CUstream_st*) { return 1; }
#endif

namespace {

struct Values {
    float factor = 1.0F;
    float shift = 0.0F;
};

class ScaleShift final : public IPluginV2DynamicExt {
public:
    explicit ScaleShift(Values values) : mValues(values) {}

    char const* getPluginType() const noexcept override { return "ScaleShift"; }
    char const* getPluginVersion() const noexcept override { return "1"; }
    int32_t getNbOutputs() const noexcept override { return 1; }
    int32_t initialize() noexcept override { return 0; }
    void terminate() noexcept override {}
    size_t getSerializationSize() const noexcept override { return sizeof(Values); }
    void serialize(void* buffer) const noexcept override { std::memcpy(buffer, &mValues, sizeof(Values)); }
    void destroy() noexcept override { delete this; }

    ScaleShift* clone() const noexcept override {
        auto* copy = new (std::nothrow) ScaleShift(mValues);
        if (copy != nullptr) {
            copy->mNamespace = mNamespace;
        }
        return copy;
    }

    void setPluginNamespace(char const* name) noexcept override { mNamespace = name; }
    char const* getPluginNamespace() const noexcept override { return mNamespace.c_str(); }

    DataType getOutputDataType(int32_t, DataType const* inputs, int32_t) const noexcept override { return inputs[0]; }

    DimsExprs getOutputDimensions(int32_t, DimsExprs const* inputs, int32_t, IExprBuilder&) noexcept override {
        return inputs[0];
    }

    bool supportsFormatCombination(
        int32_t position, PluginTensorDesc const* tensors, int32_t, int32_t) noexcept override {
        auto const& tensor = tensors[position];
        return tensor.type == DataType::kFLOAT && tensor.format == TensorFormat::kLINEAR;
    }

    void configurePlugin(
        DynamicPluginTensorDesc const*, int32_t, DynamicPluginTensorDesc const*, int32_t) noexcept override {}

    size_t getWorkspaceSize(
        PluginTensorDesc const*, int32_t, PluginTensorDesc const*, int32_t) const noexcept override {
        return 0;
    }

    int32_t enqueue(
        PluginTensorDesc const* inDesc, PluginTensorDesc const*, void const* const* inputs, void* const* outputs, void*,
        CUstream_st* stream) noexcept override {
        int64_t count = 1;
        for (int32_t axis = 0; axis < inDesc[0].dims.nbDims; ++axis) {
            count *= inDesc[0].dims.d[axis];
        }
        auto const* x = static_cast<float const*>(inputs[0]);
        return launch(x, static_cast<float*>(outputs[0]), count, mValues.factor, mValues.shift, stream);
    }

private:
    Values mValues;
    std::string mNamespace;
};

class ScaleShiftCreator final : public IPluginCreator {
public:
    char const* getPluginName() const noexcept override { return "ScaleShift"; }
    char const* getPluginVersion() const noexcept override { return "1"; }

    PluginFieldCollection const* getFieldNames() noexcept override {
        static PluginField const fields[] = {
            {"factor", nullptr, PluginFieldType::kFLOAT32, 1}, {"shift", nullptr, PluginFieldType::kFLOAT32, 1}};
        static PluginFieldCollection const collection{2, fields};
        return &collection;
    }

    // Null, which TensorRT reports, for a field that this plugin does not have.
    IPluginV2DynamicExt* createPlugin(char const*, PluginFieldCollection const* fields) noexcept override {
        Values values;
        for (int32_t index = 0; index < fields->nbFields; ++index) {
            auto const& field = fields->fields[index];
            bool const isNumber = field.type == PluginFieldType::kFLOAT32 && field.length == 1;
            bool const isFactor = std::strcmp(field.name, "factor") == 0;
            if (!isNumber || (!isFactor && std::strcmp(field.name, "shift") != 0)) {
                return nullptr;
            }
            (isFactor ? values.factor : values.shift) = *static_cast<float const*>(field.data);
        }
        return new (std::nothrow) ScaleShift(values);
    }

    IPluginV2DynamicExt* deserializePlugin(char const*, void const* data, size_t length) noexcept override {
        Values values;
        if (length != sizeof(Values)) {
            return nullptr;
        }
        std::memcpy(&values, data, length);
        return new (std::nothrow) ScaleShift(values);
    }

    void setPluginNamespace(char const* name) noexcept override { mNamespace = name; }
    char const* getPluginNamespace() const noexcept override { return mNamespace.c_str(); }

private:
    std::string mNamespace;
};

}  // namespace

// What whoever loads the library registers.
extern "C" IPluginCreator* const* getPluginCreators(int32_t& count) {
    static ScaleShiftCreator creator;
    static IPluginCreator* const creators[] = {&creator};
    count = 1;
    return creators;
}
