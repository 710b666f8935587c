//! How a plan is built: the enums of builder and configuration.

use super::numbered;

numbered! {
    /// What the builder may or must do (`BuilderFlag`).
    BuilderFlag = builder_flag {
        /// Use float16 layers where they are faster (8.6, 10).
        Fp16 = FP16,
        /// Use int8 layers where they are faster (8.6, 10).
        Int8 = INT8,
        /// Synchronize after every layer, for debugging.
        Debug = DEBUG,
        /// Let layers that DLA cannot run go to the GPU.
        GpuFallback = GPU_FALLBACK,
        /// Make the engine refittable.
        Refit = REFIT,
        /// Time tactics anew.
        DisableTimingCache = DISABLE_TIMING_CACHE,
        /// Let float32 use TF32 (set unless cleared).
        Tf32 = TF32,
        /// Look for structured sparsity in weights.
        SparseWeights = SPARSE_WEIGHTS,
        /// Only what the safety runtime has.
        SafetyScope = SAFETY_SCOPE,
        /// Fail rather than leave a layer's set precision (8.6, 10).
        ObeyPrecisionConstraints = OBEY_PRECISION_CONSTRAINTS,
        /// Keep to layers' set precisions where possible (8.6, 10).
        PreferPrecisionConstraints = PREFER_PRECISION_CONSTRAINTS,
        /// No reformatting at inputs and outputs.
        DirectIo = DIRECT_IO,
        /// Fail when an algorithm selector leaves nothing (8.6, 10).
        RejectEmptyAlgorithms = REJECT_EMPTY_ALGORITHMS,
        /// Make the engine run on later versions of TensorRT.
        VersionCompatible = VERSION_COMPATIBLE,
        /// Leave the lean runtime out of a version-compatible engine.
        ExcludeLeanRuntime = EXCLUDE_LEAN_RUNTIME,
        /// Use float8 layers where they are faster (8.6, 10).
        Fp8 = FP8,
        /// Fail when a tactic's time is not in the cache.
        ErrorOnTimingCacheMiss = ERROR_ON_TIMING_CACHE_MISS,
        /// Use bfloat16 layers where they are faster (10).
        Bf16 = BF16,
        /// Do not keep compiled kernels in the timing cache.
        DisableCompilationCache = DISABLE_COMPILATION_CACHE,
        /// Leave weights out of the plan.
        StripPlan = STRIP_PLAN,
        /// Optimize as if refitted weights were the same.
        RefitIdentical = REFIT_IDENTICAL,
        /// Keep weights in host memory, streamed while running.
        WeightStreaming = WEIGHT_STREAMING,
        /// Use int4 layers where they are faster (10).
        Int4 = INT4,
        /// Make only marked weights refittable.
        RefitIndividual = REFIT_INDIVIDUAL,
        /// Keep NaN as in IEEE 754.
        StrictNans = STRICT_NANS,
        /// Report the builder's memory use.
        MonitorMemory = MONITOR_MEMORY,
        /// Use float4 layers where they are faster (10).
        Fp4 = FP4,
        /// Let the timing cache be edited.
        EditableTimingCache = EDITABLE_TIMING_CACHE,
        /// The same result for the same element, wherever it is in a batch.
        DistributiveIndependence = DISTRIBUTIVE_INDEPENDENCE,
        /// No allocation at run time (TensorRT-RTX).
        RequireUserAllocation = REQUIRE_USER_ALLOCATION,
    }
}

numbered! {
    /// How a network is made (`NetworkDefinitionCreationFlag`).
    NetworkDefinitionCreationFlag = network_definition_creation_flag {
        /// The batch is a dimension like any other; needed in 8.6, always so from 10 on.
        ExplicitBatch = EXPLICIT_BATCH,
        /// Types flow from inputs and constants; always so from 11 on.
        StronglyTyped = STRONGLY_TYPED,
        /// Prefer plugins that are compiled at run time.
        PreferJitPythonPlugins = PREFER_JIT_PYTHON_PLUGINS,
        /// Prefer plugins that are compiled ahead of time.
        PreferAotPythonPlugins = PREFER_AOT_PYTHON_PLUGINS,
    }
}

numbered! {
    /// A feature that is off until it is the default (`PreviewFeature`).
    PreviewFeature = preview_feature {
        /// Faster dynamic shapes (8.6).
        FasterDynamicShapes0805 = FASTER_DYNAMIC_SHAPES_0805,
        /// No cuDNN or cuBLAS in core layers (8.6).
        DisableExternalTacticSourcesForCore0805 = DISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805,
        /// One profile for several contexts.
        ProfileSharing0806 = PROFILE_SHARING_0806,
        /// Plugin inputs that alias outputs.
        AliasedPluginIo1003 = ALIASED_PLUGIN_IO_10_03,
        /// Activation memory sized at run time.
        RuntimeActivationResize1010 = RUNTIME_ACTIVATION_RESIZE_10_10,
        /// Several devices.
        MultideviceRuntime1016 = MULTIDEVICE_RUNTIME_10_16,
    }
}

numbered! {
    /// Where kernels come from (`TacticSource`).
    TacticSource = tactic_source {
        /// cuBLAS (8.6, 10).
        Cublas = CUBLAS,
        /// cuBLASLt (8.6, 10).
        CublasLt = CUBLAS_LT,
        /// cuDNN (8.6, 10).
        Cudnn = CUDNN,
        /// Convolutions with edge masks.
        EdgeMaskConvolutions = EDGE_MASK_CONVOLUTIONS,
        /// Convolutions compiled while building.
        JitConvolutions = JIT_CONVOLUTIONS,
    }
}

numbered! {
    /// A pool of memory that the builder takes from (`MemoryPoolType`).
    MemoryPoolType = memory_pool_type {
        /// Scratch memory of layers while running.
        Workspace = WORKSPACE,
        /// DLA's SRAM.
        DlaManagedSram = DLA_MANAGED_SRAM,
        /// DLA's DRAM for activations.
        DlaLocalDram = DLA_LOCAL_DRAM,
        /// DLA's DRAM for weights.
        DlaGlobalDram = DLA_GLOBAL_DRAM,
        /// Device memory while building.
        TacticDram = TACTIC_DRAM,
        /// Shared memory of a kernel.
        TacticSharedMemory = TACTIC_SHARED_MEMORY,
    }
}

numbered! {
    /// How much of the network an engine remembers (`ProfilingVerbosity`).
    ProfilingVerbosity = profiling_verbosity {
        /// Layer names.
        LayerNamesOnly = LAYER_NAMES_ONLY,
        /// Nothing.
        None = NONE,
        /// Layers with all their attributes.
        Detailed = DETAILED,
    }
}

numbered! {
    /// On which other GPUs an engine runs (`HardwareCompatibilityLevel`).
    HardwareCompatibilityLevel = hardware_compatibility_level {
        /// None.
        None = NONE,
        /// Ampere and later.
        AmperePlus = AMPERE_PLUS,
        /// Those of the same compute capability.
        SameComputeCapability = SAME_COMPUTE_CAPABILITY,
    }
}

numbered! {
    /// Which set of layers an engine is for (`EngineCapability`).
    EngineCapability = engine_capability {
        /// All of them.
        Standard = STANDARD,
        /// Those of the safety runtime.
        Safety = SAFETY,
        /// Those that DLA runs by itself.
        DlaStandalone = DLA_STANDALONE,
    }
}

numbered! {
    /// A GPU generation to build for without having it (`ComputeCapability`, TensorRT-RTX).
    ComputeCapability = compute_capability {
        /// Not set.
        None = NONE,
        /// The GPU at hand.
        Current = CURRENT,
        /// 7.5, Turing.
        Sm75 = SM75,
        /// 8.0, Ampere.
        Sm80 = SM80,
        /// 8.6, Ampere.
        Sm86 = SM86,
        /// 8.9, Ada.
        Sm89 = SM89,
        /// 12.0, Blackwell.
        Sm120 = SM120,
        /// 12.1, Blackwell.
        Sm121 = SM121,
    }
}

numbered! {
    /// The platform an engine is for (`RuntimePlatform`).
    RuntimePlatform = runtime_platform {
        /// The one it is built on.
        SameAsBuild = SAME_AS_BUILD,
        /// Windows on x86-64.
        WindowsAmd64 = WINDOWS_AMD64,
    }
}

numbered! {
    /// How hard the builder looks for tilings (`TilingOptimizationLevel`).
    TilingOptimizationLevel = tiling_optimization_level {
        /// Not at all.
        None = NONE,
        /// Fast.
        Fast = FAST,
        /// Moderately.
        Moderate = MODERATE,
        /// Fully.
        Full = FULL,
    }
}

numbered! {
    /// Which of a profile's three shapes (`OptProfileSelector`).
    OptProfileSelector = opt_profile_selector {
        /// The smallest allowed.
        Min = MIN,
        /// The one to be fast at.
        Opt = OPT,
        /// The largest allowed.
        Max = MAX,
    }
}
