//! How an attribute is given to the function of its kind: numbers and enumerations by value, lists, text and structs
//! borrowed. It knows of no kind.

use crate::{DType, PluginAttributes, Weights};

/// An attribute of a layer.
pub trait Attribute {
    /// What a function takes for it.
    type Given<'a>
    where
        Self: 'a;

    /// The attribute as a function takes it.
    fn given(&self) -> Self::Given<'_>;
}

macro_rules! by_value {
    ($($type:ty),* $(,)?) => {$(
        impl Attribute for $type {
            type Given<'a> = Self;

            fn given(&self) -> Self {
                *self
            }
        }
    )*};
}

macro_rules! borrowed {
    ($($type:ty),* $(,)?) => {$(
        impl $crate::Attribute for $type {
            type Given<'a> = &'a Self;

            fn given(&self) -> &Self {
                self
            }
        }
    )*};
}

by_value!(bool, i64, usize, f32, f64, Option<usize>, DType);
borrowed!(PluginAttributes, Weights);

pub(crate) use borrowed;

impl Attribute for String {
    type Given<'a> = &'a str;

    fn given(&self) -> &str {
        self
    }
}

impl<T> Attribute for Vec<T> {
    type Given<'a>
        = &'a [T]
    where
        T: 'a;

    fn given(&self) -> &[T] {
        self
    }
}

impl<T> Attribute for Option<Vec<T>> {
    type Given<'a>
        = Option<&'a [T]>
    where
        T: 'a;

    fn given(&self) -> Option<&[T]> {
        self.as_deref()
    }
}
