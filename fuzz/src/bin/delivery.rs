//! Tries `fuzz::delivery::check`.

#![cfg_attr(fuzzing, no_main)]

fuzz::program!(fuzz::delivery::check);
