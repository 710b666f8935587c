//! How layer types and their setters are declared, one line for each setter.

/// Declares a layer type and its setters. `dims`, `axes`, `index`, `value` and `plain` say how an argument is handed
/// on.
macro_rules! layer {
    ($(#[$meta:meta])* $name:ident $(= $raw:ident { $($body:tt)* })?) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<'n>(pub(super) $crate::network::Layer<'n>);

        impl<'n> std::ops::Deref for $name<'n> {
            type Target = $crate::network::Layer<'n>;

            fn deref(&self) -> &$crate::network::Layer<'n> {
                &self.0
            }
        }

        $(impl $name<'_> { setters!($raw; $($body)*); })?
    };
}

macro_rules! setters {
    ($raw:ident;) => {};
    ($raw:ident; $(#[$doc:meta])* dims $name:ident = $call:ident; $($rest:tt)*) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Error::TooManyDims`](crate::Error::TooManyDims), [`Error::Refused`](crate::Error::Refused), or
        /// [`Error::NotInThisVersion`](crate::Error::NotInThisVersion).
        pub fn $name(&self, dims: &[i64]) -> $crate::Result<()> {
            let dims = $crate::Dims::new(dims)?;
            // SAFETY: the handle borrows the network, and the layer is of the class of the call.
            self.named(unsafe { $crate::raw::layers::$raw::$call(self.raw, &dims) })
        }
        setters!($raw; $($rest)*);
    };
    ($raw:ident; $(#[$doc:meta])* axes $name:ident = $call:ident; $($rest:tt)*) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Error::Refused`](crate::Error::Refused) when TensorRT records an error.
        pub fn $name(&self, axes: $crate::Axes) -> $crate::Result<()> {
            // SAFETY: the handle borrows the network, and the layer is of the class of the call.
            self.named(unsafe { $crate::raw::layers::$raw::$call(self.raw, axes.mask()) })
        }
        setters!($raw; $($rest)*);
    };
    ($raw:ident; $(#[$doc:meta])* index $name:ident = $call:ident; $($rest:tt)*) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Error::OutOfRange`](crate::Error::OutOfRange), or [`Error::Refused`](crate::Error::Refused) when TensorRT
        /// records an error.
        pub fn $name(&self, value: usize) -> $crate::Result<()> {
            let value = $crate::weights::c_int("an axis or count", value)?;
            // SAFETY: the handle borrows the network, and the layer is of the class of the call.
            self.named(unsafe { $crate::raw::layers::$raw::$call(self.raw, value) })
        }
        setters!($raw; $($rest)*);
    };
    ($raw:ident; $(#[$doc:meta])* value($type:ty) $name:ident = $call:ident; $($rest:tt)*) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Error::NotInThisVersion`](crate::Error::NotInThisVersion), or [`Error::Refused`](crate::Error::Refused)
        /// when TensorRT records an error.
        pub fn $name(&self, value: $type) -> $crate::Result<()> {
            let value = value.number(self.version())?;
            // SAFETY: the handle borrows the network, and the layer is of the class of the call.
            self.named(unsafe { $crate::raw::layers::$raw::$call(self.raw, value) })
        }
        setters!($raw; $($rest)*);
    };
    ($raw:ident; $(#[$doc:meta])* plain($type:ty) $name:ident = $call:ident; $($rest:tt)*) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Error::Refused`](crate::Error::Refused) when TensorRT records an error.
        pub fn $name(&self, value: $type) -> $crate::Result<()> {
            // SAFETY: the handle borrows the network, and the layer is of the class of the call.
            self.named(unsafe { $crate::raw::layers::$raw::$call(self.raw, value) })
        }
        setters!($raw; $($rest)*);
    };
    ($raw:ident; $(#[$doc:meta])* tensor $name:ident = $call:ident; $($rest:tt)*) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Error::ForeignTensor`](crate::Error::ForeignTensor), or [`Error::Refused`](crate::Error::Refused) when
        /// TensorRT records an error.
        pub fn $name(&self, tensor: $crate::network::Tensor<'_>) -> $crate::Result<()> {
            let own = self.own(tensor)?;
            // SAFETY: the handle borrows the network, and the tensor is of the same one.
            self.named(unsafe { $crate::raw::layers::$raw::$call(self.raw, own) })
        }
        setters!($raw; $($rest)*);
    };
}

pub(super) use {layer, setters};
