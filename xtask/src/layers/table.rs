//! The layers, as `ARCHITECTURE.md` draws them: change both together.

/// What is allowed to one package.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The packages of this workspace it may depend on, tests aside.
    pub(crate) may_use: &'static [&'static str],
    /// Those of them that must be optional.
    pub(crate) optional: &'static [&'static str],
    /// Whether it may read no clock anywhere, not even in a module marked as an edge.
    pub(crate) no_clock: bool,
    /// What must not be compiled with it.
    pub(crate) trees: &'static [Tree],
}

/// Packages that must be absent from everything one package compiles, tests aside.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The features to resolve with, as an argument of cargo.
    pub(crate) features: &'static str,
    pub(crate) absent: &'static [&'static str],
}

/// Every package the workspace may have.
pub(crate) const ROWS: &[Row] = &[
    Row { name: "aaa-types", no_clock: true, trees: &[Tree { features: ALL, absent: IO }], ..ROW },
    Row {
        name: "aaa-auth",
        may_use: &["aaa-types"],
        no_clock: true,
        trees: &[Tree { features: ALL, absent: IO }],
        ..ROW
    },
    Row {
        name: "aaa-webhook",
        may_use: &["aaa-types"],
        trees: &[
            Tree { features: CORE, absent: IO },
            // A receiver compiles no client.
            Tree { features: ALL, absent: &["reqwest", "rusqlite"] },
        ],
        ..ROW
    },
    Row {
        name: "aaa-client",
        may_use: &["aaa-types", "aaa-auth"],
        trees: &[
            Tree { features: CORE, absent: IO },
            // A client compiles no server.
            Tree { features: ALL, absent: &["axum", "rusqlite"] },
        ],
        ..ROW
    },
    Row {
        name: "aaa-replay",
        may_use: &["aaa-types", "aaa-client"],
        optional: &["aaa-client"],
        trees: &[
            Tree { features: CORE, absent: IO },
            Tree { features: CORE, absent: &["aaa-client"] },
            Tree { features: ALL, absent: &["axum", "rusqlite"] },
        ],
        ..ROW
    },
    Row {
        name: "aaa-store",
        may_use: &["aaa-types", "aaa-webhook", "aaa-replay"],
        // It implements traits: neither a server nor a client comes with it.
        trees: &[Tree { features: ALL, absent: &["aaa-client", "axum", "reqwest"] }],
        ..ROW
    },
    Row {
        name: "aaa-emulator",
        may_use: &["aaa-types", "aaa-auth", "aaa-webhook"],
        trees: &[Tree { features: ALL, absent: &["reqwest", "rusqlite"] }],
        ..ROW
    },
    Row {
        name: "aaa-dashboard",
        // Whoever signs in hands a token to the file with tokens, which is aaa-auth's.
        may_use: &["aaa-types", "aaa-auth", "aaa-client", "aaa-webhook", "aaa-replay"],
        trees: &[Tree { features: ALL, absent: &["rusqlite"] }],
        ..ROW
    },
    Row { name: "aaa-cli", may_use: LIBRARIES, ..ROW },
    Row { name: "benches", may_use: LIBRARIES, ..ROW },
    Row { name: "conformance", may_use: LIBRARIES, ..ROW },
    Row { name: "crash", may_use: &["aaa-types", "aaa-store", "aaa-webhook", "load"], ..ROW },
    Row {
        name: "emulator-bench",
        may_use: &["aaa-types", "aaa-auth", "aaa-webhook", "aaa-client", "aaa-emulator", "load"],
        ..ROW
    },
    Row { name: "examples", may_use: LIBRARIES, ..ROW },
    Row { name: "fuzz", may_use: LIBRARIES, ..ROW },
    Row { name: "headless", ..ROW },
    Row { name: "load", may_use: &["aaa-types", "aaa-webhook"], ..ROW },
    Row { name: "nats-servers", ..ROW },
    Row {
        name: "receiver-bench",
        may_use: &["aaa-types", "aaa-store", "load", "nats-servers"],
        ..ROW
    },
    Row { name: "sim", may_use: LIBRARIES, ..ROW },
    Row { name: "soak", may_use: &["aaa-types", "crash", "load"], ..ROW },
    Row { name: "xtask", may_use: LIBRARIES, ..ROW },
];

const ROW: Row = Row { name: "", may_use: &[], optional: &[], no_clock: false, trees: &[] };

const ALL: &str = "--all-features";
const CORE: &str = "--no-default-features";

/// What a pure core does without.
const IO: &[&str] = &["axum", "hyper", "mio", "reqwest", "rusqlite", "tokio"];

const LIBRARIES: &[&str] = &[
    "aaa-types",
    "aaa-auth",
    "aaa-webhook",
    "aaa-client",
    "aaa-replay",
    "aaa-store",
    "aaa-emulator",
    "aaa-dashboard",
];
