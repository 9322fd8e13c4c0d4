/** One thread of a crew in tests: runs the script that it is told. */
import { parentPort, workerData } from 'node:worker_threads';
import { type CrewPlace, joinCrew } from '../../src/index.ts';
import { scripts } from './scripts.ts';

const { place, script, seed } = workerData as { place: CrewPlace; script: string; seed: number };
parentPort?.postMessage(joinCrew(place, (crew) => scripts[script]?.(seed, crew)));
