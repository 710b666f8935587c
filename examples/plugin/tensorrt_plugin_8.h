// The interfaces of TensorRT 8.6 that a plugin with dynamic shapes implements, for builds without TensorRT's headers.
//
// With NvInfer.h at hand, include that instead: it declares the same. Here is what its binary interface consists of: the
// order of virtual functions, the fields of structs and the values of enums (Linux, Itanium C++ ABI). A function that
// TensorRT does not call on plugins with dynamic shapes is final and does nothing.
#pragma once

#include <cstddef>
#include <cstdint>

struct CUstream_st;
struct cudnnContext;
struct cublasContext;

namespace nvinfer1 {

constexpr int32_t kTensorRtVersion = 8600;

enum class DataType : int32_t { kFLOAT = 0, kHALF = 1, kINT8 = 2, kINT32 = 3, kBOOL = 4, kUINT8 = 5, kFP8 = 6 };
enum class TensorFormat : int32_t { kLINEAR = 0 };
enum class PluginFieldType : int32_t { kFLOAT16 = 0, kFLOAT32 = 1, kFLOAT64 = 2, kINT8 = 3, kINT16 = 4, kINT32 = 5 };

struct Dims {
    int32_t nbDims;
    int32_t d[8];
};

class IDimensionExpr;
class IExprBuilder;
class IGpuAllocator;

// The sizes of a tensor as expressions, of which -1 and other numbers are one kind.
struct DimsExprs {
    int32_t nbDims;
    IDimensionExpr const* d[8];
};

struct PluginTensorDesc {
    Dims dims;
    DataType type;
    TensorFormat format;
    float scale;
};

struct DynamicPluginTensorDesc {
    PluginTensorDesc desc;
    Dims min;
    Dims max;
};

struct PluginField {
    char const* name;
    void const* data;
    PluginFieldType type;
    int32_t length;
};

struct PluginFieldCollection {
    int32_t nbFields;
    PluginField const* fields;
};

static_assert(sizeof(Dims) == 36 && sizeof(PluginTensorDesc) == 48 && sizeof(DynamicPluginTensorDesc) == 120);
static_assert(sizeof(DimsExprs) == 72 && sizeof(PluginField) == 24 && sizeof(PluginFieldCollection) == 16);

// IPluginV2, IPluginV2Ext and IPluginV2DynamicExt in one: their virtual functions, each class's after its base's.
class IPluginV2DynamicExt {
public:
    // IPluginV2
    virtual int32_t getTensorRTVersion() const noexcept { return 3 << 24 | kTensorRtVersion; }  // 3: dynamic shapes
    virtual char const* getPluginType() const noexcept = 0;
    virtual char const* getPluginVersion() const noexcept = 0;
    virtual int32_t getNbOutputs() const noexcept = 0;
    virtual Dims getOutputDimensions(int32_t, Dims const*, int32_t) noexcept final { return Dims{-1, {}}; }
    virtual bool supportsFormat(DataType, TensorFormat) const noexcept final { return false; }
    virtual void configureWithFormat(
        Dims const*, int32_t, Dims const*, int32_t, DataType, TensorFormat, int32_t) noexcept final {}
    virtual int32_t initialize() noexcept = 0;
    virtual void terminate() noexcept = 0;
    virtual size_t getWorkspaceSize(int32_t) const noexcept final { return 0; }
    virtual int32_t enqueue(int32_t, void const* const*, void* const*, void*, CUstream_st*) noexcept final { return 1; }
    virtual size_t getSerializationSize() const noexcept = 0;
    virtual void serialize(void* buffer) const noexcept = 0;
    virtual void destroy() noexcept = 0;
    virtual IPluginV2DynamicExt* clone() const noexcept = 0;
    virtual void setPluginNamespace(char const* name) noexcept = 0;
    virtual char const* getPluginNamespace() const noexcept = 0;
    virtual ~IPluginV2DynamicExt() noexcept = default;

    // IPluginV2Ext
    virtual DataType getOutputDataType(int32_t index, DataType const* inputs, int32_t count) const noexcept = 0;
    virtual bool isOutputBroadcastAcrossBatch(int32_t, bool const*, int32_t) const noexcept final { return false; }
    virtual bool canBroadcastInputAcrossBatch(int32_t) const noexcept final { return true; }
    virtual void configurePlugin(
        Dims const*, int32_t, Dims const*, int32_t, DataType const*, DataType const*, bool const*, bool const*,
        TensorFormat, int32_t) noexcept final {}
    virtual void attachToContext(cudnnContext*, cublasContext*, IGpuAllocator*) noexcept {}
    virtual void detachFromContext() noexcept {}

    // IPluginV2DynamicExt
    virtual DimsExprs getOutputDimensions(
        int32_t index, DimsExprs const* inputs, int32_t count, IExprBuilder& builder) noexcept = 0;
    virtual bool supportsFormatCombination(
        int32_t position, PluginTensorDesc const* tensors, int32_t inputs, int32_t outputs) noexcept = 0;
    virtual void configurePlugin(
        DynamicPluginTensorDesc const* in, int32_t inputs, DynamicPluginTensorDesc const* out, int32_t outputs) noexcept = 0;
    virtual size_t getWorkspaceSize(
        PluginTensorDesc const* in, int32_t inputs, PluginTensorDesc const* out, int32_t outputs) const noexcept = 0;
    virtual int32_t enqueue(
        PluginTensorDesc const* inDesc, PluginTensorDesc const* outDesc, void const* const* inputs, void* const* outputs,
        void* workspace, CUstream_st* stream) noexcept = 0;
};

class IPluginCreator {
public:
    virtual int32_t getTensorRTVersion() const noexcept { return kTensorRtVersion; }
    virtual char const* getPluginName() const noexcept = 0;
    virtual char const* getPluginVersion() const noexcept = 0;
    virtual PluginFieldCollection const* getFieldNames() noexcept = 0;
    virtual IPluginV2DynamicExt* createPlugin(char const* name, PluginFieldCollection const* fields) noexcept = 0;
    virtual IPluginV2DynamicExt* deserializePlugin(char const* name, void const* data, size_t length) noexcept = 0;
    virtual void setPluginNamespace(char const* name) noexcept = 0;
    virtual char const* getPluginNamespace() const noexcept = 0;
    virtual ~IPluginCreator() = default;
};

}  // namespace nvinfer1
