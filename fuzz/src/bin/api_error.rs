//! Tries `fuzz::api_error::check`.

#![cfg_attr(fuzzing, no_main)]

fuzz::program!(fuzz::api_error::check);
