package main

type simCmd struct{}

func (s *simCmd) Run() error { return usageError{"the simulation is not wired yet"} }
