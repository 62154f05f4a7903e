"""Search for the class weights, the loss and the decision that suit rare labels best."""
