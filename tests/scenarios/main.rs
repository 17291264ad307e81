//! The scenarios, in reading order.
