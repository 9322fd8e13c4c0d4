/** The scenarios: each builds a network from a seed, does something to it, and says what became of every attempt. */
import { eclipse, liars } from './attacks.ts';
import { chaos } from './chaos.ts';
import { churn, kad } from './churn.ts';
import { flash } from './flash.ts';
import { mute, outage } from './outage.ts';
import { minority, partition } from './partition.ts';
import type { Scenario } from './scenario.ts';
import { sizes } from './sizes.ts';
import { cold, steady } from './steady.ts';

export {
  type Aim,
  isMet,
  type Outcome,
  type Progress,
  type Scenario,
  type ScenarioOptions,
  type Timeline,
} from './scenario.ts';

export const scenarios: Readonly<Record<string, Scenario>> = {
  steady,
  cold,
  churn,
  kad,
  mute,
  outage,
  partition,
  minority,
  liars,
  eclipse,
  flash,
  chaos,
  sizes,
};
