// A page without anything that moves.
document.documentElement.dataset.complete = "yes";
