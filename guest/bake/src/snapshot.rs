//! The running guest as baking sees it, and its memory as wizer wants it.

use std::error::Error;
use std::task::{Context, Poll, Waker};

use crate::BakeError;

/// What a host reports when a call into the guest fails.
pub type HostError = Box<dyn Error + Send + Sync + 'static>;

/// A running instance of the guest, whatever runs it.
pub trait BakeInstance: Send {
    /// Calls the export `bake_alloc`: room for `len` bytes in the guest's memory, 0 if there is none.
    fn alloc(&mut self, len: u32) -> Result<u32, HostError>;
    /// Writes into the guest's exported `memory`.
    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), HostError>;
    /// Calls the export `bake` on the bytes written; negative is a refusal.
    fn bake(&mut self, at: u32, len: u32) -> Result<i32, HostError>;
    /// The value of an exported global.
    fn global(&mut self, name: &str) -> Result<GlobalValue, HostError>;
    /// All bytes of an exported memory.
    fn memory(&mut self, name: &str) -> Result<&[u8], HostError>;
}

/// The value of a numeric global; floats as their bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GlobalValue {
    /// `i32`
    I32(i32),
    /// `i64`
    I64(i64),
    /// `f32`
    F32(u32),
    /// `f64`
    F64(u64),
}

/// Lends the guest to wizer. Its interface knows no errors, so the first one is kept here.
struct WizerView<'a, I> {
    instance: &'a mut I,
    failure: Option<HostError>,
}

impl<I: BakeInstance> wasmtime_wizer::InstanceState for WizerView<'_, I> {
    async fn global_get(&mut self, name: &str, _: wasmtime_wizer::ValType) -> wasmtime_wizer::SnapshotVal {
        use wasmtime_wizer::SnapshotVal;
        match self.instance.global(name) {
            Ok(GlobalValue::I32(value)) => SnapshotVal::I32(value),
            Ok(GlobalValue::I64(value)) => SnapshotVal::I64(value),
            Ok(GlobalValue::F32(bits)) => SnapshotVal::F32(bits),
            Ok(GlobalValue::F64(bits)) => SnapshotVal::F64(bits),
            Err(error) => {
                self.failure.get_or_insert(error);
                SnapshotVal::I32(0)
            }
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        match self.instance.memory(name) {
            Ok(bytes) => contents(bytes),
            Err(error) => {
                self.failure.get_or_insert(error);
                contents(&[]);
            }
        }
    }
}

/// The module whose initial state is the instance's present one.
pub(crate) fn snapshot(
    wizer: &wasmtime_wizer::Wizer,
    context: &wasmtime_wizer::ModuleContext<'_>,
    instance: &mut impl BakeInstance,
) -> Result<Vec<u8>, BakeError> {
    let mut view = WizerView { instance, failure: None };
    let outcome = {
        let mut future = std::pin::pin!(wizer.snapshot(context, &mut view));
        future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    };
    if let Some(error) = view.failure {
        return Err(BakeError::Host(error));
    }
    match outcome {
        Poll::Ready(Ok(module)) => Ok(module),
        Poll::Ready(Err(error)) => Err(BakeError::Snapshot(error.into())),
        Poll::Pending => Err(BakeError::Snapshot("the instance's state was not ready at once".into())),
    }
}
