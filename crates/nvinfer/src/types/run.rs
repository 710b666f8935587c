//! How an engine is run and looked at: the enums of runtime and engine.

use super::numbered;

numbered! {
    /// Whether an engine runs here (`EngineValidity`, TensorRT-RTX).
    EngineValidity = engine_validity {
        /// It does.
        Valid = VALID,
        /// It does, but would be faster built anew.
        Suboptimal = SUBOPTIMAL,
        /// It does not.
        Invalid = INVALID,
    }
}

numbered! {
    /// Whether an engine's tensor goes in or out (`TensorIOMode`).
    TensorIoMode = tensor_io_mode {
        /// Neither: no such tensor.
        None = NONE,
        /// An input.
        Input = INPUT,
        /// An output.
        Output = OUTPUT,
    }
}

numbered! {
    /// Form of an engine inspector's text (`LayerInformationFormat`).
    LayerInformationFormat = layer_information_format {
        /// One line for each layer.
        OneLine = ONELINE,
        /// JSON.
        Json = JSON,
    }
}

numbered! {
    /// When an execution context takes its device memory (`ExecutionContextAllocationStrategy`).
    ExecutionContextAllocationStrategy = execution_context_allocation_strategy {
        /// At once, for the largest profile.
        Static = STATIC,
        /// When the profile changes, for that profile.
        OnProfileChange = ON_PROFILE_CHANGE,
        /// Never: the user gives it.
        UserManaged = USER_MANAGED,
    }
}

numbered! {
    /// What a serialized engine holds (`SerializationFlag`).
    SerializationFlag = serialization_flag {
        /// No weights.
        ExcludeWeights = EXCLUDE_WEIGHTS,
        /// No lean runtime.
        ExcludeLeanRuntime = EXCLUDE_LEAN_RUNTIME,
        /// What refitting needs.
        IncludeRefit = INCLUDE_REFIT,
    }
}

numbered! {
    /// How TensorRT-RTX captures CUDA graphs (`CudaGraphStrategy`).
    CudaGraphStrategy = cuda_graph_strategy {
        /// It does not.
        Disabled = DISABLED,
        /// The whole engine as one graph.
        WholeGraphCapture = WHOLE_GRAPH_CAPTURE,
    }
}

numbered! {
    /// When TensorRT-RTX compiles kernels for a shape (`DynamicShapesKernelSpecializationStrategy`).
    DynamicShapesKernelSpecializationStrategy = dynamic_shapes_kernel_specialization_strategy {
        /// In the background, using a general kernel meanwhile.
        Lazy = LAZY,
        /// Before the first run at that shape.
        Eager = EAGER,
        /// Never.
        None = NONE,
    }
}

numbered! {
    /// Statistics of an engine's size (`EngineStat`).
    EngineStat = engine_stat {
        /// Bytes of all weights.
        TotalWeightsSize = TOTAL_WEIGHTS_SIZE,
        /// Bytes of the weights that were left out of the plan.
        StrippedWeightsSize = STRIPPED_WEIGHTS_SIZE,
    }
}
