//! `ILogger`: TensorRT's messages go to `tracing`, and the recent grave ones are kept for errors.
//!
//! TensorRT keeps the first logger it is given for as long as the process lives, so there is one per loaded library and
//! it is never freed. Which call a message belongs to follows from counting: the caller notes the count before.

use std::collections::VecDeque;
use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::Message;
use crate::object::{Object, guarded, text};
use crate::sys::tables::logger;
use crate::types::Severity;
use crate::version::Version;

/// Messages kept; more than a failing call ever logs.
const CAPACITY: usize = 256;

/// Takes the text of every message.
pub type Listener = Box<dyn FnMut(&str) + Send>;

/// The logger of one loaded library.
#[derive(Debug)]
pub struct Logger {
    object: Box<Object<State>>,
}

struct State {
    /// Messages graver than or as grave as this go to `tracing`.
    level: AtomicI32,
    recent: Mutex<Recent>,
    listener: Mutex<Option<Listener>>,
    /// Whether there is a listener, so that the many verbose messages need no lock otherwise.
    has_listener: AtomicBool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("level", &self.level).field("recent", &self.recent).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Recent {
    /// Warnings and errors so far.
    count: u64,
    messages: VecDeque<Message>,
    /// What TensorRT calls info, so far, and the last of it.
    info_count: u64,
    info: VecDeque<String>,
}

impl Logger {
    pub(crate) fn new(version: Version) -> Self {
        let state = State {
            level: AtomicI32::new(Severity::Info as i32),
            recent: Mutex::default(),
            listener: Mutex::default(),
            has_listener: AtomicBool::new(false),
        };
        let methods = [(&logger::LOG, log as *const ())];
        Self { object: Object::new(version, logger::ALL, c"ILogger", &methods, state) }
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.object.as_ptr()
    }

    /// Forwards messages up to this severity to `tracing` (target `torch2trt::tensorrt`); the default is
    /// [`Severity::Info`].
    pub fn set_level(&self, least: Severity) {
        self.object.state.level.store(least as i32, Ordering::Relaxed);
    }

    /// Hands every message to `listener`, verbose ones included, in place of an earlier listener.
    pub fn listen(&self, listener: Option<Listener>) {
        let state = &self.object.state;
        state.has_listener.store(listener.is_some(), Ordering::Relaxed);
        *state.listener.lock().unwrap_or_else(PoisonError::into_inner) = listener;
    }

    /// Warnings and errors logged so far.
    pub fn count(&self) -> u64 {
        self.object.state.recent().count
    }

    /// Warnings and errors logged after `count`, as far as they are kept.
    pub fn since(&self, count: u64) -> Vec<Message> {
        let recent = self.object.state.recent();
        last(&recent.messages, recent.count - count)
    }

    /// Messages of [`Severity::Info`] so far.
    pub fn info_count(&self) -> u64 {
        self.object.state.recent().info_count
    }

    /// Messages of [`Severity::Info`] after `count`, as far as they are kept.
    pub fn info_since(&self, count: u64) -> Vec<String> {
        let recent = self.object.state.recent();
        last(&recent.info, recent.info_count - count)
    }
}

impl State {
    fn recent(&self) -> std::sync::MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, severity: Severity, text: String) {
        if severity as i32 <= self.level.load(Ordering::Relaxed) {
            trace(severity, &text);
        }
        if self.has_listener.load(Ordering::Relaxed)
            && let Some(listener) = &mut *self.listener.lock().unwrap_or_else(PoisonError::into_inner)
        {
            listener(&text);
        }
        let mut recent = self.recent();
        match severity {
            Severity::Verbose => {}
            Severity::Info => {
                recent.info_count += 1;
                keep(&mut recent.info, text);
            }
            _ => {
                recent.count += 1;
                keep(&mut recent.messages, Message { severity, text });
            }
        }
    }
}

fn keep<T>(kept: &mut VecDeque<T>, item: T) {
    if kept.len() == CAPACITY {
        kept.pop_front();
    }
    kept.push_back(item);
}

/// The last `count` of what is kept.
fn last<T: Clone>(kept: &VecDeque<T>, count: u64) -> Vec<T> {
    let fresh = usize::try_from(count).unwrap_or(CAPACITY);
    kept.iter().skip(kept.len().saturating_sub(fresh)).cloned().collect()
}

/// What TensorRT calls info is a dozen lines for every build, so it is our debug.
fn trace(severity: Severity, text: &str) {
    match severity {
        Severity::InternalError | Severity::Error => tracing::error!(target: "torch2trt::tensorrt", "{text}"),
        Severity::Warning => tracing::warn!(target: "torch2trt::tensorrt", "{text}"),
        Severity::Info => tracing::debug!(target: "torch2trt::tensorrt", "{text}"),
        Severity::Verbose => tracing::trace!(target: "torch2trt::tensorrt", "{text}"),
    }
}

extern "C" fn log(this: *mut c_void, severity: i32, message: *const c_char) {
    guarded("ILogger::log", (), || {
        // SAFETY: TensorRT passes back the object that it was given, which lives as long as the process.
        let state = unsafe { Object::<State>::state(this) };
        let severity = Severity::from_raw(severity);
        let wanted =
            state.level.load(Ordering::Relaxed) >= severity as i32 || state.has_listener.load(Ordering::Relaxed);
        if severity == Severity::Verbose && !wanted {
            return;
        }
        // SAFETY: TensorRT passes NUL-terminated text.
        state.take(severity, unsafe { text(message) });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    type Log = extern "C" fn(*mut c_void, i32, *const c_char);

    #[test]
    fn warnings_and_errors_are_kept_in_order_and_by_count() {
        for version in crate::testing::versions() {
            let logger = Logger::new(version);
            assert!(logger.object.is_complete());
            let function = logger.object.function(version, &logger::LOG);
            // SAFETY: the slot holds `log`, whose type this is.
            let log = unsafe { std::mem::transmute::<*const (), Log>(function) };
            log(logger.as_ptr(), 2, c"first".as_ptr());
            let mark = logger.count();
            log(logger.as_ptr(), 3, c"by the way".as_ptr());
            log(logger.as_ptr(), 1, c"second".as_ptr());
            log(logger.as_ptr(), 0, std::ptr::null());
            let messages = logger.since(mark);
            assert_eq!(messages.len(), 2, "{version}: {messages:?}");
            assert_eq!((messages[0].severity, messages[0].text.as_str()), (Severity::Error, "second"));
            assert_eq!(messages[1].severity, Severity::InternalError);
            assert_eq!(logger.info_since(0), ["by the way"]);
            assert!(logger.info_since(logger.info_count()).is_empty());
        }
    }

    #[test]
    fn a_listener_receives_all_until_it_is_removed() {
        let (sender, has_listener) = std::sync::mpsc::channel();
        let logger = Logger::new(crate::testing::versions()[0]);
        logger.listen(Some(Box::new(move |text| sender.send(text.to_owned()).unwrap())));
        log(logger.as_ptr(), 4, c"Tactic: 0x1 Time: 0.5".as_ptr());
        log(logger.as_ptr(), 2, c"careful".as_ptr());
        assert_eq!(has_listener.try_iter().collect::<Vec<_>>(), ["Tactic: 0x1 Time: 0.5", "careful"]);
        logger.listen(None);
        log(logger.as_ptr(), 2, c"again".as_ptr());
        assert!(has_listener.try_recv().is_err());
    }

    #[test]
    fn only_recent_messages_are_kept() {
        let version = crate::testing::versions()[0];
        let logger = Logger::new(version);
        for i in 0..1000 {
            logger.object.state.take(Severity::Warning, format!("message {i}"));
        }
        let all = logger.since(0);
        assert_eq!(all.len(), CAPACITY);
        assert_eq!(all[CAPACITY - 1].text, "message 999");
        assert_eq!(logger.since(998).len(), 2);
    }
}
