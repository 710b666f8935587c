//! How layers are declared: a line for each call, from which the raw function, the safe function and the check of the
//! signature against TensorRT's tables come.
//!
//! `adds!` declares methods of [`Network`](super::Network) that add a layer, `layers!` the types of layers with their
//! setters. What they cannot express (a list, text, `Dims` next to other arguments, a call that replaces an older one)
//! is written by hand in the same file, over `calls!`.

/// Declares methods that add a layer: `fn add_shape(input: Tensor<'_>) -> Layer = ADD_SHAPE;`.
macro_rules! adds {
    ($(
        $(#[$doc:meta])*
        fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $layer:ident = $method:ident;
    )*) => {
        impl Network<'_> {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// [`Error::NotInThisVersion`] for a call or value that the version lacks, [`Error::ForeignTensor`],
            /// [`Error::Refused`].
            pub fn $name(&self, $($arg: $type),*) -> Result<$layer<'_>> {
                $(let $arg = Argument::raw($arg, self.owner())?;)*
                // SAFETY: the arguments are what the call takes, and tensors are of this network.
                let made = unsafe { added::$name(self.raw(), $($arg),*) };
                Ok(Typed::of(self.layer(made?)))
            }
        )*}

        /// The raw calls that add this file's layers.
        pub(crate) mod added {
            use super::*;

            $crate::raw::calls! { network_definition at IMPL {
                $(fn $name($($arg: <$type as Argument>::Raw),*) -> $crate::raw::call::Made = $method;)*
            } }
        }
    };
}

/// Declares types of layers with their setters, which `dims` take a list of extents each.
macro_rules! layers {
    ($(
        $(#[$meta:meta])*
        $name:ident $(= $table:ident {$(
            $(#[$doc:meta])*
            fn $setter:ident($($arg:ident: $type:ty),* $(,)?) $(-> $answer:ident)? = $method:ident;
        )*} $(, dims {$(
            $(#[$dims_doc:meta])*
            $dims_setter:ident $(-> $dims_answer:ident)? = $dims_method:ident;
        )*})?)?
    )*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Copy, Debug)]
            pub struct $name<'n>(Layer<'n>);

            impl<'n> Typed<'n> for $name<'n> {
                fn of(layer: Layer<'n>) -> Self {
                    Self(layer)
                }
            }

            impl<'n> std::ops::Deref for $name<'n> {
                type Target = Layer<'n>;

                fn deref(&self) -> &Layer<'n> {
                    &self.0
                }
            }

            $(impl $name<'_> {
                $(
                    $(#[$doc])*
                    ///
                    /// # Errors
                    /// [`Error::NotInThisVersion`](crate::Error::NotInThisVersion),
                    /// [`Error::OutOfRange`](crate::Error::OutOfRange),
                    /// [`Error::ForeignTensor`](crate::Error::ForeignTensor), or
                    /// [`Error::Refused`](crate::Error::Refused) when TensorRT records an error.
                    pub fn $setter(&self, $($arg: $type),*) -> Result<()> {
                        $(let $arg = Argument::raw($arg, self.owner())?;)*
                        // SAFETY: the handle borrows the network, the layer is of the class of the call, and tensors
                        // are of the same network.
                        self.named(unsafe { set::$table::$setter(self.raw, $($arg),*) })
                    }
                )*
                $($(
                    $(#[$dims_doc])*
                    ///
                    /// # Errors
                    /// [`Error::TooManyDims`](crate::Error::TooManyDims),
                    /// [`Error::NotInThisVersion`](crate::Error::NotInThisVersion), or
                    /// [`Error::Refused`](crate::Error::Refused) when TensorRT records an error.
                    pub fn $dims_setter(&self, dims: &[i64]) -> Result<()> {
                        let dims = $crate::Dims::new(dims)?;
                        // SAFETY: the handle borrows the network, and the layer is of the class of the call.
                        self.named(unsafe { set::$table::$dims_setter(self.raw, &dims) })
                    }
                )*)?
            })?
        )*

        /// The raw calls of this file's setters, a module a class.
        pub(crate) mod set {
            $($(pub mod $table {
                #[allow(unused_imports, reason = "not every class takes every type")]
                use super::super::*;

                $crate::raw::calls! { $table at LAYER_IMPL {
                    $(fn $setter($($arg: <$type as Argument>::Raw),*) -> answer!($($answer)?) = $method;)*
                    $($(dims fn $dims_setter(; dims;) -> answer!($($dims_answer)?) = $dims_method;)*)?
                } }
            })?)*

            /// The declarations of every class here.
            #[cfg(test)]
            pub fn declared() -> Vec<(&'static $crate::sys::Method, String)> {
                [$($($table::declared(),)?)*].concat()
            }
        }
    };
}

/// What a setter returns: nothing, or a bool whose false is a refusal.
macro_rules! answer {
    () => {
        ()
    };
    ($answer:ident) => {
        $crate::raw::call::$answer
    };
}

pub(super) use {adds, answer, layers};
