//! Builds the generic guests that the command line bakes rules into, and hands their paths to the crate.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

const TARGET: &str = "wasm32-unknown-unknown";

/// What the guest is made of, relative to the workspace.
const GUEST_SOURCES: [&str; 8] = [
    "guest/component",
    "guest/fluent-bit",
    "guest/instance",
    "guest/engine",
    "guest/plan",
    "wit",
    "Cargo.toml",
    "Cargo.lock",
];

/// A guest without rules.
struct Guest {
    /// By what the crate is told where it is.
    variable: &'static str,
    package: &'static str,
    /// Of the package; its default ones are off.
    features: &'static str,
    rustc: &'static str,
    /// Guests built with other flags would make each other's libraries stale.
    target_dir: &'static str,
}

const COMPONENT: Guest = Guest {
    variable: "TRIPWASM_GENERIC_GUEST",
    package: "tripwasm-component",
    features: "windows",
    rustc: "-Ctarget-feature=+simd128",
    target_dir: "guest",
};

const GUESTS: [Guest; 3] = [
    COMPONENT,
    Guest { variable: "TRIPWASM_GENERIC_GUEST_WITHOUT_WINDOWS", features: "", ..COMPONENT },
    // Fluent Bit's runtime has no vectors. Baking sets the stack pointer right and takes its export out.
    Guest {
        variable: "TRIPWASM_GENERIC_FLUENT_BIT",
        package: "tripwasm-fluent-bit",
        features: "",
        rustc: "-Clink-arg=--export=__stack_pointer",
        target_dir: "guest-scalar",
    },
];

/// Variables by which the outer cargo and its wrappers would change what the inner one builds.
const INHERITED: [&str; 9] = [
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTFLAGS",
    "RUSTDOC",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_MAKEFLAGS",
    "MAKEFLAGS",
];

fn main() {
    let workspace = match PathBuf::from(variable("CARGO_MANIFEST_DIR")).parent() {
        Some(parent) => parent.to_owned(),
        None => fail("the crate stands outside its workspace"),
    };
    for source in GUEST_SOURCES {
        println!("cargo::rerun-if-changed={}", workspace.join(source).display());
    }
    if !target_is_installed() {
        fail(&format!("the target {TARGET} is missing, install it: rustup target add {TARGET}"));
    }
    let out_dir = PathBuf::from(variable("OUT_DIR"));
    for guest in &GUESTS {
        let target_dir = out_dir.join(guest.target_dir);
        build_guest(&workspace, &target_dir, guest);
        let built = guest.package.replace('-', "_");
        let built = target_dir.join(TARGET).join("guest").join(built).with_extension("wasm");
        let kept = out_dir.join(guest.variable.to_lowercase()).with_extension("wasm");
        if let Err(error) = std::fs::copy(&built, &kept) {
            fail(&format!("{} cannot be copied: {error}", built.display()));
        }
        println!("cargo::rustc-env={}={}", guest.variable, kept.display());
    }
}

fn build_guest(workspace: &Path, target_dir: &Path, guest: &Guest) {
    let mut cargo = Command::new(variable("CARGO"));
    cargo.current_dir(workspace);
    cargo.args(["build", "--package", guest.package, "--profile", "guest", "--target", TARGET]);
    cargo.args(["--no-default-features", "--features", guest.features]);
    cargo.arg("--target-dir").arg(target_dir);
    for name in INHERITED {
        cargo.env_remove(name);
    }
    // Clippy and others wrap rustc through these; the guest is built by rustc itself.
    for (name, _) in
        env::vars().filter(|(name, _)| name.starts_with("CARGO_PROFILE_") || name.starts_with("CLIPPY_"))
    {
        cargo.env_remove(name);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", guest.rustc);
    // The outer cargo has resolved the lock file; the same versions go in.
    cargo.arg("--locked");
    match cargo.status() {
        Ok(status) if status.success() => {}
        Ok(_) => fail("building the guest failed, its errors stand above"),
        Err(error) => fail(&format!("cargo cannot be run: {error}")),
    }
}

/// Whether rustc has the target's standard library.
fn target_is_installed() -> bool {
    let libraries =
        Command::new(variable("RUSTC")).args(["--print", "target-libdir", "--target", TARGET]).output();
    libraries.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("cargo sets {name} for build scripts, it is not set")))
}

fn fail(message: &str) -> ! {
    println!("cargo::error={message}");
    exit(1)
}
