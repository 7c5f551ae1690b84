//! Tries `fuzz::source::check`.

#![cfg_attr(fuzzing, no_main)]

fuzz::program!(fuzz::source::check);
