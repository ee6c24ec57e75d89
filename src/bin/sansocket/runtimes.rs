//! The runtimes that the program runs on: what it does is written once, for any of them.

use std::future::{Future, pending};
use std::io;
use std::sync::Arc;
use std::thread;

use sansocket::async_std::AsyncStd;
#[cfg(unix)]
use sansocket::blocking::{self, Threads};
use sansocket::runtime::Runtime;
use sansocket::smol::Smol;
use sansocket::tokio::Tokio;

use crate::arguments::RuntimeName;

/// What is to be done, on whatever runtime.
pub trait Job {
    type Output;

    fn run<R: Runtime>(self, runtime: R) -> impl Future<Output = Self::Output>;
}

/// Does it on the calling thread, with `workers` more threads for the tasks that it spawns; without any, those run on the
/// calling thread too.
///
/// The number is not for all: async-std has its own way to be told (`ASYNC_STD_THREAD_COUNT`), and on plain threads each
/// task is one.
pub fn run_on<J: Job>(name: RuntimeName, workers: usize, job: J) -> io::Result<J::Output> {
    match name {
        RuntimeName::Tokio => {
            let runtime = match workers {
                0 => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
                workers => tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(workers)
                    .enable_all()
                    .build()?,
            };
            let output = runtime.block_on(job.run(Tokio));
            // A thread that waits for a name must not hold up the end.
            runtime.shutdown_background();
            Ok(output)
        }
        RuntimeName::Smol => {
            let executor = Arc::new(smol::Executor::new());
            let job = job.run(Smol::on(executor.clone()));
            if workers == 0 {
                return Ok(smol::block_on(executor.run(job)));
            }
            for _ in 0..workers {
                let executor = executor.clone();
                // They end with the program.
                thread::Builder::new().spawn(move || smol::block_on(executor.run(pending::<()>())))?;
            }
            Ok(smol::block_on(job))
        }
        RuntimeName::AsyncStd => Ok(async_std::task::block_on(job.run(AsyncStd))),
        #[cfg(unix)]
        RuntimeName::Blocking => {
            let threads = Threads::new();
            let output = blocking::block_on(job.run(threads.clone()));
            threads.join();
            Ok(output)
        }
    }
}
