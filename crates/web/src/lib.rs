//! The door for people: the console.
