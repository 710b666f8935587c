//! The simulated GPU: memory, streams, events, and the order in which what was enqueued runs.

use std::alloc::Layout;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Results of the driver's functions, by their numbers in `cuda.h`.
pub(crate) type Code = i32;
pub(crate) const SUCCESS: Code = 0;
pub(crate) const INVALID_VALUE: Code = 1;
pub(crate) const OUT_OF_MEMORY: Code = 2;
pub(crate) const INVALID_HANDLE: Code = 400;
pub(crate) const NOT_READY: Code = 600;
pub(crate) const ILLEGAL_ADDRESS: Code = 700;
pub(crate) const CAPTURE_UNSUPPORTED: Code = 900;
pub(crate) const CAPTURE_INVALIDATED: Code = 901;

/// Start and length in bytes.
pub(crate) type Span = (usize, usize);

/// Something enqueued.
#[derive(Clone)]
pub(crate) enum Op {
    Copy { to: usize, from: usize, bytes: usize },
    Fill { at: usize, bytes: usize, value: u8 },
    Kernel(Kernel),
    Record { event: usize, ticket: u64 },
    Wait { event: usize, ticket: u64 },
}

/// Work on memory.
#[derive(Clone)]
pub(crate) struct Kernel {
    pub(crate) uses: Vec<Span>,
    /// What must hold when it runs: that its context is there, and as it was when a graph captured it.
    pub(crate) holds: Vec<Arc<AtomicBool>>,
    pub(crate) work: Arc<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
pub(crate) struct Stream {
    queue: VecDeque<Op>,
    pub(crate) capture: Option<Capture>,
}

/// A capture under way.
pub(crate) struct Capture {
    pub(crate) ops: Vec<Op>,
    pub(crate) mode: u32,
    pub(crate) thread: std::thread::ThreadId,
    pub(crate) invalid: bool,
}

/// One node of a graph; an executable has nodes of the same handles.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) handle: usize,
    pub(crate) ops: Vec<Op>,
}

#[derive(Default)]
struct Event {
    recorded: u64,
    done: u64,
}

struct Block {
    bytes: usize,
    freed: bool,
}

/// What tests may count.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) copies: u64,
    pub(crate) captures: u64,
    pub(crate) launches: u64,
}

pub(crate) struct World {
    random: fastrand::Rng,
    /// The most that runs during a call which does not wait for it.
    haste: usize,
    memory: BTreeMap<usize, Block>,
    /// Bytes of memory that were not freed.
    pub(crate) live_bytes: usize,
    pub(crate) streams: BTreeMap<usize, Stream>,
    events: BTreeMap<usize, Event>,
    pub(crate) graphs: BTreeMap<usize, Vec<Node>>,
    next: usize,
    pub(crate) counts: Counts,
    /// Bytes of memory that there are.
    pub(crate) most_bytes: usize,
    /// The first thing that a driver leaves undefined.
    pub(crate) fault: Option<std::ffi::CString>,
}

static WORLD: Mutex<Option<World>> = Mutex::new(None);

/// The world, for one call of the driver: some of what is enqueued may run meanwhile.
pub(crate) fn call(act: impl FnOnce(&mut World) -> Code) -> Code {
    let mut guard = lock();
    let world = guard.get_or_insert_with(World::new);
    for _ in 0..world.random.usize(0..=world.haste) {
        world.step();
    }
    let code = act(world);
    if world.fault.is_some() { ILLEGAL_ADDRESS } else { code }
}

fn lock() -> MutexGuard<'static, Option<World>> {
    WORLD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn new() -> Self {
        let seed = std::env::var("SIMULATOR_SEED").ok().and_then(|seed| seed.parse().ok());
        let mut random = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Self {
            haste: random.usize(0..4),
            random,
            memory: BTreeMap::new(),
            live_bytes: 0,
            // The default stream is there from the start.
            streams: BTreeMap::from([(0, Stream::default())]),
            events: BTreeMap::new(),
            graphs: BTreeMap::new(),
            next: 0x1000,
            counts: Counts::default(),
            most_bytes: usize::MAX,
            fault: None,
        }
    }

    /// A new handle.
    pub(crate) fn handle(&mut self) -> usize {
        self.next += 0x10;
        self.next
    }

    pub(crate) fn fail(&mut self, what: String) {
        self.fault.get_or_insert_with(|| std::ffi::CString::new(what).unwrap_or_default());
    }

    /// New memory, full of garbage; 0 where there is none left.
    pub(crate) fn allocate(&mut self, bytes: usize) -> usize {
        if self.live_bytes.saturating_add(bytes) > self.most_bytes {
            return 0;
        }
        let Ok(layout) = Layout::from_size_align(bytes.next_multiple_of(256), 256) else { return 0 };
        // SAFETY: the layout has a size; what was allocated is never freed, so that late accesses can be detected.
        let start = unsafe { std::alloc::alloc(layout) };
        if start.is_null() {
            return 0;
        }
        // SAFETY: just allocated, of that length.
        self.random.fill(unsafe { std::slice::from_raw_parts_mut(start, bytes) });
        self.memory.insert(start.expose_provenance(), Block { bytes, freed: false });
        self.live_bytes += bytes;
        start.addr()
    }

    /// Ends the life of memory, once everything enqueued has run, as the driver does.
    pub(crate) fn free(&mut self, address: usize) -> Code {
        self.finish();
        match self.memory.get_mut(&address) {
            Some(block) if !block.freed => {
                block.freed = true;
                self.live_bytes -= block.bytes;
                SUCCESS
            }
            _ => INVALID_VALUE,
        }
    }

    fn is_live(&self, (start, bytes): Span) -> bool {
        let block = self.memory.range(..=start).next_back();
        bytes == 0 || block.is_some_and(|(at, block)| !block.freed && start + bytes <= at + block.bytes)
    }

    /// Enqueues, or adds to the capture of the stream.
    pub(crate) fn enqueue(&mut self, stream: usize, op: Op) -> Code {
        let Some(stream) = self.streams.get_mut(&stream) else { return INVALID_HANDLE };
        match (&mut stream.capture, &op) {
            (Some(capture), _) if capture.invalid => CAPTURE_INVALIDATED,
            // No graph here forks, so an event in a capture is a mistake.
            (Some(_), Op::Record { .. } | Op::Wait { .. }) => CAPTURE_UNSUPPORTED,
            (Some(capture), _) => {
                capture.ops.push(op);
                SUCCESS
            }
            (None, _) => {
                stream.queue.push_back(op);
                SUCCESS
            }
        }
    }

    pub(crate) fn make_event(&mut self) -> usize {
        let event = self.handle();
        self.events.insert(event, Event::default());
        event
    }

    pub(crate) fn destroy_event(&mut self, event: usize) -> Code {
        if self.events.remove(&event).is_some() { SUCCESS } else { INVALID_HANDLE }
    }

    pub(crate) fn record(&mut self, event: usize, stream: usize) -> Code {
        let Some(known) = self.events.get_mut(&event) else { return INVALID_HANDLE };
        known.recorded += 1;
        let ticket = known.recorded;
        self.enqueue(stream, Op::Record { event, ticket })
    }

    pub(crate) fn wait(&mut self, stream: usize, event: usize) -> Code {
        let Some(known) = self.events.get(&event) else { return INVALID_HANDLE };
        let ticket = known.recorded;
        self.enqueue(stream, Op::Wait { event, ticket })
    }

    pub(crate) fn is_done(&self, event: usize) -> Code {
        match self.events.get(&event) {
            Some(event) if event.done >= event.recorded => SUCCESS,
            Some(_) => NOT_READY,
            None => INVALID_HANDLE,
        }
    }

    /// Runs whatever may run until nothing of the stream is left.
    pub(crate) fn finish_stream(&mut self, stream: usize) -> Code {
        while self.streams.get(&stream).is_some_and(|stream| !stream.queue.is_empty()) {
            if !self.step() {
                self.fail("streams wait for each other".into());
                return ILLEGAL_ADDRESS;
            }
        }
        SUCCESS
    }

    pub(crate) fn finish_event(&mut self, event: usize) -> Code {
        while self.is_done(event) == NOT_READY {
            if !self.step() {
                self.fail("an event is waited for that nothing reaches".into());
                return ILLEGAL_ADDRESS;
            }
        }
        self.is_done(event)
    }

    /// Runs everything.
    pub(crate) fn finish(&mut self) {
        while self.step() {}
    }

    /// Runs the next operation of some stream that does not wait; false where there is none.
    fn step(&mut self) -> bool {
        let may_run = |op: &Op| match op {
            Op::Wait { event, ticket } => self.events.get(event).is_none_or(|event| event.done >= *ticket),
            _ => true,
        };
        let ready = self.streams.iter().filter(|(_, stream)| stream.queue.front().is_some_and(may_run));
        let ready: Vec<usize> = ready.map(|(handle, _)| *handle).collect();
        let Some(chosen) = self.random.choice(ready) else { return false };
        let op = self.streams.get_mut(&chosen).and_then(|stream| stream.queue.pop_front());
        if let Some(op) = op {
            self.run(op);
        }
        true
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Copy { to, from, bytes } => {
                self.counts.copies += 1;
                if self.check(&[(to, bytes), (from, bytes)], "a copy") {
                    // SAFETY: both spans lie in live memory of ours.
                    unsafe { std::ptr::copy(from as *const u8, to as *mut u8, bytes) };
                }
            }
            Op::Fill { at, bytes, value } => {
                if self.check(&[(at, bytes)], "a fill") {
                    // SAFETY: the span is in live memory of ours.
                    unsafe { std::ptr::write_bytes(at as *mut u8, value, bytes) };
                }
            }
            Op::Kernel(kernel) => {
                if !kernel.holds.iter().all(|holds| holds.load(Ordering::SeqCst)) {
                    self.fail("a kernel runs after its execution context has gone, or is no longer as captured".into());
                } else if self.check(&kernel.uses, "a kernel") {
                    (kernel.work)();
                }
            }
            Op::Record { event, ticket } => {
                if let Some(event) = self.events.get_mut(&event) {
                    event.done = event.done.max(ticket);
                }
            }
            Op::Wait { .. } => {}
        }
    }

    fn check(&mut self, spans: &[Span], what: &str) -> bool {
        let bad = spans.iter().find(|span| !self.is_live(**span)).copied();
        if let Some((start, bytes)) = bad {
            self.fail(format!("{what} uses {bytes} bytes at {start:#x}, which is no memory, or no longer"));
        }
        bad.is_none()
    }
}
