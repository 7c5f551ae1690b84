//! The emulator over real HTTP, with a real receiver.

#[cfg(test)]
mod access;
#[cfg(test)]
mod control;
#[cfg(test)]
mod deliveries;
#[cfg(test)]
mod enterprise;
#[cfg(test)]
mod expectations;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod page;
#[cfg(test)]
mod replays;
#[cfg(test)]
mod secure;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod state;
#[cfg(test)]
mod support;
#[cfg(test)]
mod time;
#[cfg(test)]
mod webhooks;
