//! Tries `fuzz::answer::check`.

#![cfg_attr(fuzzing, no_main)]

fuzz::program!(fuzz::answer::check);
