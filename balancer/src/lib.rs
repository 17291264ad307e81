//! Gate and caretaker: sends requests to backends, launches programs and looks after them. Knows nothing of logs.
