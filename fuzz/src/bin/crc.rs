//! Tries `fuzz::crc::check`.

#![cfg_attr(fuzzing, no_main)]

fuzz::program!(fuzz::crc::check);
