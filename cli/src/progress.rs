//! How far a long command is: on a terminal only, on standard error.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that follows a counter of bytes until it is dropped.
pub(crate) struct ByteProgress {
    done: Arc<AtomicBool>,
    drawer: Option<JoinHandle<()>>,
}

impl ByteProgress {
    /// Follows `counter` up to `total` bytes, where that is known.
    pub(crate) fn follow(counter: &Arc<AtomicU64>, total: Option<u64>) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        if !std::io::stderr().is_terminal() {
            return Self { done, drawer: None };
        }
        let (bar, template) = match total {
            Some(total) => (
                ProgressBar::new(total),
                "reading [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
            ),
            None => (ProgressBar::new_spinner(), "reading {spinner} {bytes} {bytes_per_sec}"),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let (counter, stop) = (Arc::clone(counter), Arc::clone(&done));
        let drawer = std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                bar.set_position(counter.load(Ordering::Relaxed));
                std::thread::sleep(Duration::from_millis(100));
            }
            bar.finish_and_clear();
        });
        Self { done, drawer: Some(drawer) }
    }
}

impl Drop for ByteProgress {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(drawer) = self.drawer.take() {
            // A failed drawing thread is no reason to fail the command.
            let _ = drawer.join();
        }
    }
}
