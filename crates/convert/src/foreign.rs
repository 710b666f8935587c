//! The door for converters that live outside this crate: those a user writes in Python.
//!
//! A foreign converter gets the same [`Builder`] and [`Call`] as ours and gives the same [`Outputs`]. This crate
//! neither knows what language it is written in nor what it remembers; that the same program makes the same network
//! is then as true as the foreign converter makes it.

use crate::{Builder, Call, Outputs, Result};

/// Somebody outside this crate who converts calls.
pub trait Foreign: Sync {
    /// Whether it converts the calls of this target. It comes before the converters of this crate.
    fn converts(&self, target: &str) -> bool;

    /// The operator of a call in the words of whoever wrote the model, for messages and for the layers' origins.
    fn operator(&self, call: &Call<'_>) -> String;

    /// Adds the layers of one call and returns the tensors that are its outputs. Each output must have the dtype in
    /// which the call's own travels ([`Call::output_dtype`]) and its sizes.
    ///
    /// # Errors
    /// [`crate::Error::Foreign`] with everything the user has to know: it is passed on as it is.
    fn convert(&self, builder: &mut Builder, call: &Call<'_>) -> Result<Outputs>;
}
