//! Tries `fuzz::authorization::check`.

#![cfg_attr(fuzzing, no_main)]

fuzz::program!(fuzz::authorization::check);
