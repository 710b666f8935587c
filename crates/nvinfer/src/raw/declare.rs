//! The `calls!` macro: one line declares one call.
//!
//! A declaration such as `fn add_activation(input: *mut c_void, kind: i32) -> Made = ADD_ACTIVATION;` becomes an unsafe
//! function that finds the slot, casts it to this signature, calls it and reads the answer. `Dims` arguments come in
//! three ways (32 bits by value in 8.6, 32 bits by reference in one of its calls, 64 bits by reference from 10 on):
//! `dims fn` lists them between semicolons and casts to the right one. `shape fn` returns `Dims`. For tests the macro
//! also gives every signature in the tables' letters.

/// `Dims32` in place of an identifier: a type for each listed argument.
macro_rules! each {
    ($ignored:ident => $type:ty) => {
        $type
    };
}

/// Declares the calls of one class: `calls! { table at OFFSET { fn …; dims fn …; shape fn …; } }`.
macro_rules! calls {
    ($table:ident at $offset:ident { $($rest:tt)* }) => {
        $crate::raw::calls!(@one $table $offset $($rest)*);
        #[cfg(test)]
        #[allow(clippy::vec_init_then_push, reason = "the macro pushes one declaration at a time")]
        pub fn declared() -> Vec<(&'static $crate::sys::Method, String)> {
            let mut all = Vec::new();
            $crate::raw::calls!(@letters all $table $($rest)*);
            all
        }
    };

    (@one $table:ident $offset:ident) => {};

    (@one $table:ident $offset:ident
        fn $name:ident($($arg:ident: $type:ty),*) -> $answer:ty = $method:ident; $($rest:tt)*) => {
        /// See the method of this name in TensorRT's interface.
        ///
        /// # Safety
        /// `object` is of this class; pointer arguments are what the method takes and live as long as it needs them.
        pub unsafe fn $name(
            object: $crate::raw::Ref<'_>,
            $($arg: $type),*
        ) -> $crate::error::Result<<$answer as $crate::raw::call::Answer>::Rust> {
            type Function =
                unsafe extern "C" fn(*mut std::ffi::c_void, $($type),*) -> <$answer as $crate::raw::call::Answer>::C;
            // SAFETY: the caller's promise covers the object and the arguments; the signature is the one that the
            // table gives for this slot (a test compares the two).
            unsafe {
                let call = $crate::raw::call::Call::new(
                    object,
                    &$crate::sys::tables::$table::$method,
                    $crate::sys::layout::offset::$offset,
                )?;
                let function = std::mem::transmute::<*const (), Function>(call.function);
                let answer = function(call.this, $($arg),*);
                <$answer as $crate::raw::call::Answer>::read(answer, &call)
            }
        }
        $crate::raw::calls!(@one $table $offset $($rest)*);
    };

    (@one $table:ident $offset:ident
        dims fn $name:ident($($before:ident: $before_type:ty),*; $($dims:ident),+; $($after:ident: $after_type:ty),*)
        -> $answer:ty = $method:ident; $($rest:tt)*) => {
        /// See the method of this name in TensorRT's interface.
        ///
        /// # Safety
        /// `object` is of this class; pointer arguments are what the method takes and live as long as it needs them.
        pub unsafe fn $name(
            object: $crate::raw::Ref<'_>,
            $($before: $before_type,)*
            $($dims: &$crate::dims::Dims,)+
            $($after: $after_type),*
        ) -> $crate::error::Result<<$answer as $crate::raw::call::Answer>::Rust> {
            use $crate::raw::call::{Answer, Call, Passing};
            use $crate::sys::layout::{Dims32, Dims64};
            type This = *mut std::ffi::c_void;
            type Back = <$answer as Answer>::C;
            type Value32 = unsafe extern "C" fn(
                This, $($before_type,)* $($crate::raw::each!($dims => Dims32),)+ $($after_type),*) -> Back;
            type Reference32 = unsafe extern "C" fn(
                This, $($before_type,)* $($crate::raw::each!($dims => *const Dims32),)+ $($after_type),*) -> Back;
            type Reference64 = unsafe extern "C" fn(
                This, $($before_type,)* $($crate::raw::each!($dims => *const Dims64),)+ $($after_type),*) -> Back;
            // SAFETY: as for the other calls; the three function types differ in how the loaded version takes `Dims`.
            unsafe {
                let call = Call::new(
                    object,
                    &$crate::sys::tables::$table::$method,
                    $crate::sys::layout::offset::$offset,
                )?;
                let answer = match call.passing() {
                    Passing::Value32 => {
                        let function = std::mem::transmute::<*const (), Value32>(call.function);
                        $(let $dims = call.dims32($dims)?;)+
                        function(call.this, $($before,)* $($dims,)+ $($after),*)
                    }
                    Passing::Reference32 => {
                        let function = std::mem::transmute::<*const (), Reference32>(call.function);
                        $(let $dims = call.dims32($dims)?;)+
                        function(call.this, $($before,)* $(&raw const $dims,)+ $($after),*)
                    }
                    Passing::Reference64 => {
                        let function = std::mem::transmute::<*const (), Reference64>(call.function);
                        $(let $dims = $dims.to_64();)+
                        function(call.this, $($before,)* $(&raw const $dims,)+ $($after),*)
                    }
                };
                <$answer as Answer>::read(answer, &call)
            }
        }
        $crate::raw::calls!(@one $table $offset $($rest)*);
    };

    (@one $table:ident $offset:ident
        shape fn $name:ident($($arg:ident: $type:ty),*) = $method:ident; $($rest:tt)*) => {
        /// See the method of this name in TensorRT's interface. A rank of -1 is a refusal.
        ///
        /// # Safety
        /// `object` is of this class; pointer arguments are what the method takes and live as long as it needs them.
        pub unsafe fn $name(
            object: $crate::raw::Ref<'_>,
            $($arg: $type),*
        ) -> $crate::error::Result<$crate::dims::Dims> {
            use $crate::raw::call::{Call, Returned};
            use $crate::sys::layout::{Dims32, Dims64};
            type This = *mut std::ffi::c_void;
            type Narrow = unsafe extern "C" fn(This, $($type),*) -> Dims32;
            type Wide = unsafe extern "C" fn(This, $($type),*) -> Dims64;
            // SAFETY: as for the other calls; the loaded version decides the width of the returned `Dims`.
            unsafe {
                let call = Call::new(
                    object,
                    &$crate::sys::tables::$table::$method,
                    $crate::sys::layout::offset::$offset,
                )?;
                let returned = if call.is_wide() {
                    let function = std::mem::transmute::<*const (), Wide>(call.function);
                    Returned::Wide(function(call.this, $($arg),*))
                } else {
                    let function = std::mem::transmute::<*const (), Narrow>(call.function);
                    Returned::Narrow(function(call.this, $($arg),*))
                };
                call.shape(returned)
            }
        }
        $crate::raw::calls!(@one $table $offset $($rest)*);
    };

    (@letters $all:ident $table:ident) => {};
    (@letters $all:ident $table:ident
        fn $name:ident($($arg:ident: $type:ty),*) -> $answer:ty = $method:ident; $($rest:tt)*) => {
        $all.push((&$crate::sys::tables::$table::$method, String::from_iter([
            <$answer as $crate::raw::call::Answer>::LETTER, '(',
            $(<$type as $crate::raw::call::Letter>::LETTER,)* ')'])));
        $crate::raw::calls!(@letters $all $table $($rest)*);
    };
    (@letters $all:ident $table:ident
        dims fn $name:ident($($before:ident: $before_type:ty),*; $($dims:ident),+; $($after:ident: $after_type:ty),*)
        -> $answer:ty = $method:ident; $($rest:tt)*) => {
        $all.push((&$crate::sys::tables::$table::$method, String::from_iter([
            <$answer as $crate::raw::call::Answer>::LETTER, '(',
            $(<$before_type as $crate::raw::call::Letter>::LETTER,)*
            $({ let _ = stringify!($dims); 'D' },)+
            $(<$after_type as $crate::raw::call::Letter>::LETTER,)* ')'])));
        $crate::raw::calls!(@letters $all $table $($rest)*);
    };
    (@letters $all:ident $table:ident
        shape fn $name:ident($($arg:ident: $type:ty),*) = $method:ident; $($rest:tt)*) => {
        $all.push((&$crate::sys::tables::$table::$method, String::from_iter([
            'D', '(', $(<$type as $crate::raw::call::Letter>::LETTER,)* ')'])));
        $crate::raw::calls!(@letters $all $table $($rest)*);
    };
}

pub(crate) use {calls, each};
